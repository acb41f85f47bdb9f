//! The search for the end of a head: incremental, and the same wherever the bytes are cut.

use super::*;

fn end(scan: &mut Scan, bytes: &[u8]) -> Result<Option<usize>, Fault> {
    scan.head_end(bytes, &Limits::default())
}

#[test]
fn the_end_is_found_once_it_is_there() {
    let bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET";
    let head = bytes.len() - 3;
    let mut scan = Scan::NEW;
    for arrived in 0..head {
        assert_eq!(end(&mut scan, &bytes[..arrived]), Ok(None));
        // Only a CR that may begin a line end is looked at twice.
        assert!(scan.scanned + 1 >= arrived);
    }
    assert_eq!(end(&mut scan, bytes), Ok(Some(head)));
    let mut fresh = Scan::NEW;
    assert_eq!(end(&mut fresh, bytes), Ok(Some(head)));
}

#[test]
fn one_empty_line_is_skipped() {
    let mut scan = Scan::NEW;
    assert_eq!(scan.skip_empty_line(b"\r"), 0);
    assert_eq!(scan.skip_empty_line(b"\r\nG"), 2);
    assert_eq!(scan.skip_empty_line(b"\r\nG"), 0);
    assert_eq!(end(&mut scan, b"\r\nG"), Err(Fault::Malformed("more than one empty line before the request")));
}

#[test]
fn the_target_is_known_before_its_line_ends() {
    assert_eq!(partial_target(b"GET"), b"");
    assert_eq!(partial_target(b"GET /a"), b"/a");
    assert_eq!(partial_target(b"GET /a HTTP"), b"/a");
    assert_eq!(partial_target(b"GET\r\nX: /a"), b"");
}

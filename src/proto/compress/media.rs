//! Which media types are worth compressing.
//! Never here: sizes.

/// Text: words that repeat. Pictures and archives are compressed already, and a stream of
/// events (`text/event-stream`) must leave as it comes, through proxies that would gather it.
#[must_use]
pub fn is_text(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim_ascii();
    let is = |name: &str| essence.eq_ignore_ascii_case(name);
    let starts = |prefix: &str| essence.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    let ends = |suffix: &str| {
        let start = essence.len().checked_sub(suffix.len()).and_then(|at| essence.get(at..));
        start.is_some_and(|end| end.eq_ignore_ascii_case(suffix))
    };
    if is("text/event-stream") {
        return false;
    }
    starts("text/")
        || ["application/json", "application/javascript", "application/xml", "image/svg+xml"].into_iter().any(is)
        || ["+json", "+xml"].into_iter().any(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_people_and_programs_read() {
        let check = |content_type: &str, expect: bool| assert_eq!(is_text(content_type), expect, "{content_type}");
        check("application/json; charset=utf-8", true);
        check("Application/JSON", true);
        check("application/problem+json", true);
        check("application/atom+xml;type=feed", true);
        check("text/html", true);
        check("text/javascript", true);
        check("image/svg+xml", true);
        check("text/event-stream", false);
        check("text/event-stream; charset=utf-8", false);
        check("image/png", false);
        check("application/zip", false);
        check("application/octet-stream", false);
        check("json", false);
        check("+json", true);
        check("", false);
        check("红茶", false);
    }
}

//! The floor of classic servers: edge-triggered epoll, one recv, one send.
//! Never here: a second recv for a request that came whole.

use std::io::{self, Read};
use std::net::TcpListener;

use super::conns::Conns;
use crate::args::ServerArgs;
use crate::sys::epoll::{Epoll, Interest, Peer, Ready};

/// One recv takes a pipelined burst of requests as well.
const RECV_BYTES: usize = 16 * 1024;
const LISTENER: u64 = u64::MAX;

/// Serves until it is killed.
pub fn serve(args: &ServerArgs) -> io::Result<()> {
    let (listener, answer) = args.start()?;
    listener.set_nonblocking(true)?;
    let mut epoll = Epoll::new()?;
    epoll.add(&listener, LISTENER, Interest::Read)?;

    let mut conns = Conns::new(&answer.to_bytes());
    let mut ready = Vec::new();
    let mut buf = vec![0; RECV_BYTES];
    loop {
        epoll.wait(None, &mut ready)?;
        for event in ready.drain(..) {
            if event.key == LISTENER {
                accept_all(&listener, &epoll, &mut conns)?;
            } else {
                receive(&mut conns, event, &mut buf);
            }
        }
    }
}

fn accept_all(listener: &TcpListener, epoll: &Epoll, conns: &mut Conns) -> io::Result<()> {
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(true)?;
                let slot = conns.insert(stream)?;
                let conn = conns.get(slot).expect("a conn that has just been inserted");
                epoll.add(&conn.stream, slot as u64, Interest::Read)?;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => return Err(error),
        }
    }
}

fn receive(conns: &mut Conns, event: Ready, buf: &mut [u8]) {
    let slot = event.key as usize;
    loop {
        let Some(conn) = conns.get(slot) else { return };
        let outcome = (&conn.stream).read(buf);
        let received = match outcome {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Ok(0) | Err(_) => return conns.close(slot),
            Ok(received) => received,
        };
        if conns.answer(slot, &buf[..received]).is_err() {
            return conns.close(slot);
        }
        // A short read has emptied the socket, and whatever comes later raises a new edge.
        if received < buf.len() && event.peer == Peer::Open {
            return;
        }
    }
}

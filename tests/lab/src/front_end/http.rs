//! The HTTP of xmlrpc-c's Abyss server: one request a connection, its headers, its two error pages.

use std::io::{self, Read, Write};
use std::net::TcpStream;

/// A template of oned may be 10 MiB; nothing more is read.
const BODY_MAX: usize = 64 << 20;
const HEAD_MAX: usize = 64 << 10;

/// What a client asks.
#[derive(Debug)]
pub(crate) enum Request {
    /// A call; its body.
    Post(Vec<u8>),
    /// A `POST` without a body.
    Empty,
    /// Another method than `POST`.
    NotPost,
}

/// Reads one request. Nothing if the client hangs up, or sends what is no HTTP.
pub(crate) fn read(stream: &mut TcpStream) -> io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 << 10];
    let (head, is_post, length) = loop {
        let count = stream.read(&mut chunk)?;
        if count == 0 || bytes.len() > HEAD_MAX {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk[..count]);
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&bytes) {
            Ok(httparse::Status::Complete(head)) => {
                let value =
                    |name: &str| request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
                let length = value("content-length")
                    .and_then(|header| str::from_utf8(header.value).ok()?.trim().parse().ok())
                    .unwrap_or(0_usize);
                if value("expect").is_some() {
                    stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
                }
                break (head, request.method == Some("POST"), length);
            }
            Ok(httparse::Status::Partial) => {}
            Err(_) => return Ok(None),
        }
    };
    if !is_post {
        return Ok(Some(Request::NotPost));
    }
    if length == 0 {
        return Ok(Some(Request::Empty));
    }
    if length > BODY_MAX {
        return Ok(None);
    }
    let mut body = bytes.split_off(head);
    while body.len() < length {
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            return Ok(None);
        }
        body.extend_from_slice(&chunk[..count]);
    }
    body.truncate(length);
    Ok(Some(Request::Post(body)))
}

/// A whole answer to a call.
pub(crate) fn xml(body: &str, date: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-type: text/xml; charset=utf-8\r\nContent-length: {}\r\n{}{body}",
        body.len(),
        tail(date)
    )
}

/// A whole answer to what is no call.
pub(crate) fn error(status: u16, reason: &str, text: &str, date: &str) -> String {
    let body = format!(
        "<HTML><HEAD><TITLE>Error {status}</TITLE></HEAD><BODY><H1>Error {status}</H1><P>{text}</P><p><HR><b><i>\
         <a href=\"http://xmlrpc-c.sourceforge.net\">ABYSS Web Server for XML-RPC For C/C++</a></i></b> version \
         1.33.14<br></p></BODY></HTML>"
    );
    format!("HTTP/1.1 {status} {reason}\r\nContent-type: text/html\r\n{}{body}", tail(date))
}

fn tail(date: &str) -> String {
    format!("Connection: close\r\nDate: {date}\r\nServer: Xmlrpc-c_Abyss/1.33.14\r\n\r\n")
}

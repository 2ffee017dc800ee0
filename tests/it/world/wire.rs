//! HTTP/1.1 by hand: what is sent is exactly what a test wrote, wrong bytes included.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};

use serde_json::Value;

/// A server that says nothing for so long has failed the test.
pub(crate) const SILENCE: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    /// The status code.
    pub(crate) status: u16,
    /// Header fields in their order, names in lowercase.
    pub(crate) headers: Vec<(String, String)>,
    /// The body; empty for a stream that is still open.
    pub(crate) body: String,
}

impl Response {
    /// The one header field with this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(n, _)| n == name);
        let value = found.next().map(|(_, v)| v.as_str());
        assert!(found.next().is_none(), "two `{name}`: {self:?}");
        value
    }

    /// The body as JSON, taken out of its event where it came as one.
    pub(crate) fn json(&self) -> Value {
        let text = if self.header("content-type").is_some_and(|t| t.contains("event-stream")) {
            let data = self.body.lines().filter_map(|l| l.strip_prefix("data:"));
            data.map(str::trim).rfind(|d| !d.is_empty()).unwrap_or_default()
        } else {
            self.body.as_str()
        };
        serde_json::from_str(text).unwrap_or_else(|e| panic!("{e} in {self:?}"))
    }
}

/// Sends these bytes on a new connection and reads one answer.
pub(crate) fn exchange(address: SocketAddr, request: &[u8]) -> io::Result<Response> {
    read(&mut connect(address, request)?)
}

/// Reads one answer.
pub(crate) fn read(connection: &mut impl BufRead) -> io::Result<Response> {
    let mut response = read_head(connection)?;
    response.body = read_body(connection, &response)?;
    Ok(response)
}

/// Sends these bytes and keeps the connection.
pub(crate) fn connect(address: SocketAddr, request: &[u8]) -> io::Result<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_nodelay(true)?;
    // A server may answer and close before it has read everything (413, 431): its answer counts.
    let _ = stream.write_all(request);
    Ok(BufReader::new(stream))
}

/// A connection, in clear or inside TLS.
pub(crate) enum Line {
    /// In clear.
    Plain(TcpStream),
    /// Inside TLS.
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Line {
    /// A new connection, in TLS where a dialect is given.
    pub(crate) fn open(address: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_nodelay(true)?;
        let Some(dialect) = tls else { return Ok(Self::Plain(stream)) };
        let name = ServerName::from(IpAddr::from([127, 0, 0, 1]));
        let connection = ClientConnection::new(Arc::clone(dialect), name).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self::Tls(Box::new(stream)))
    }

    /// The socket under it.
    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &stream.sock,
        }
    }

    /// The TLS side.
    pub(crate) fn tls(&self) -> Option<&ClientConnection> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => Some(&stream.conn),
        }
    }
}

impl Read for Line {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buf),
            Self::Tls(stream) => stream.read(buf),
        }
    }
}

impl Write for Line {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(buf),
            Self::Tls(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// Sends these bytes on a connection and keeps it.
pub(crate) fn send(mut line: Line, request: &[u8]) -> BufReader<Line> {
    // As with `connect`: an answer that came before everything was read counts.
    let _ = line.write_all(request);
    let _ = line.flush();
    BufReader::new(line)
}

/// Reads the status line and the header fields.
pub(crate) fn read_head(connection: &mut impl BufRead) -> io::Result<Response> {
    let first = line(connection)?;
    let status = first.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_default();
    let mut headers = Vec::new();
    loop {
        let field = line(connection)?;
        if field.is_empty() {
            return Ok(Response { status, headers, body: String::new() });
        }
        let (name, value) = field.split_once(':').unwrap_or((field.as_str(), ""));
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn read_body(connection: &mut impl BufRead, head: &Response) -> io::Result<String> {
    let mut body = Vec::new();
    if head.header("transfer-encoding").is_some() {
        loop {
            let size = line(connection)?;
            let size = usize::from_str_radix(size.trim(), 16).unwrap_or_default();
            let start = body.len();
            body.resize(start + size, 0);
            connection.read_exact(&mut body[start..])?;
            line(connection)?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = head.header("content-length") {
        body.resize(length.parse().unwrap(), 0);
        connection.read_exact(&mut body)?;
    } else if head.status != 204 {
        connection.read_to_end(&mut body)?;
    }
    Ok(String::from_utf8(body).unwrap())
}

fn line(connection: &mut impl BufRead) -> io::Result<String> {
    let mut text = String::new();
    if connection.read_line(&mut text)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

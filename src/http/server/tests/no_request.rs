//! What comes of bytes that hyper cannot read: the stage answers, once, and the connection ends.

use super::*;

#[tokio::test]
async fn big_heads_are_refused_by_the_stage_and_not_by_the_parser() {
    let server = start(local()).await;
    for head in
        [get("/", &format!("X: {}\r\n", "a".repeat(65536))), get("/", &"X: a\r\n".repeat(101))]
    {
        let answer = server.exchange(&head).await;
        assert!(answer.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nUNREADABLE false"), "{answer}");
        for field in
            ["x-request-id: 1\r\n", "connection: close\r\n", "content-length: 16\r\n", "\r\ndate: "]
        {
            assert_eq!(answer.matches(field).count(), 1, "{field} in {answer}");
        }
    }
    let target = format!("/{}", "a".repeat(66_000));
    let wide = Listen { max_header_bytes: 1 << 20, ..local() };
    server.end().await;
    let server = start(wide).await;
    assert!(server.exchange(&get(&target, "")).await.starts_with("HTTP/1.1 414 URI Too Long\r\n"));
    server.end().await;
}

#[tokio::test]
async fn a_client_that_is_still_sending_is_not_reset() {
    let server = start(local()).await;
    let mut socket = server.connect().await;
    socket.write_all(b"nonsense\r\n\r\n").await.unwrap();
    assert!(read_all(&mut socket).await.ends_with("UNREADABLE false"));
    // A reset could take an answer away that the client has not read yet.
    for _ in 0..32 {
        socket.write_all(&[b'x'; 4096]).await.unwrap();
    }
    server.end().await;
}

#[tokio::test]
async fn i12_a_client_that_lingers_does_not_hold_a_drain() {
    let server = start(Listen { drain_timeout: Duration::from_secs(1), ..local() }).await;
    let mut socket = server.connect().await;
    let bytes = get("/", "") + "nonsense\r\n\r\n";
    socket.write_all(bytes.as_bytes()).await.unwrap();
    assert!(read_all(&mut socket).await.contains("HTTP/1.1 400"));
    assert_eq!(server.end().await, Drained { cut: 0 });
    drop(socket);
}

#[tokio::test]
async fn a_good_request_is_answered_before_the_garbage_behind_it() {
    let server = start(local()).await;
    let hidden = get("/flood", "");
    for first in [
        get("/", ""),
        get("/", "").replace("GET", "HEAD"),
        get("/", "Content-Length: 2\r\n") + "{}",
    ] {
        let answer = server.exchange(&format!("{first}\0\r\n\r\n{hidden}")).await;
        let (good, bad) = answer.split_at(answer.rfind("HTTP/1.1 ").unwrap());
        assert!(good.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(bad.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        assert!(bad.ends_with("\r\n\r\nUNREADABLE false"), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 2, "{answer}");
    }
    server.end().await;
}

#[tokio::test]
async fn an_answer_that_looks_like_the_parsers_passes() {
    let server = start(local()).await;
    let answer =
        server.exchange(&(get("/refuse", "") + &get("/refuse", "Connection: close\r\n"))).await;
    assert_eq!(answer.matches("HTTP/1.1 400 Bad Request\r\n").count(), 2, "{answer}");
    assert_eq!(answer.matches("of the stage").count(), 2, "{answer}");
    // Written by a handler, piece by piece and bare (HTTP/1.0 has no chunks), with a pause that
    // flushes.
    let mut socket = server.connect().await;
    let request = get("/mimic", "").replace("HTTP/1.1", "HTTP/1.0");
    socket.write_all(request.as_bytes()).await.unwrap();
    server.waiting.notified().await;
    server.go.cancel();
    let answer = read_all(&mut socket).await;
    assert_eq!(answer.matches("HTTP/1.1 400 Bad Request").count(), 3, "{answer}");
    assert!(!answer.contains("UNREADABLE"), "{answer}");
    server.end().await;
}

#[tokio::test]
async fn over_tls_it_is_the_same() {
    let server = start(with_tls()).await;
    let mut socket = tls(&server, &[b"http/1.1"]).await.unwrap();
    socket.write_all(b"nonsense\r\n\r\n").await.unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 400") && text.ends_with("UNREADABLE true"), "{text}");
    server.end().await;
}

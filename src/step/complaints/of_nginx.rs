//! Lines of nginx that tell of requests which were not served: those of its error log about the
//! servers behind it, and those of its access log with 502, 503 or 504. Who asked, and with which
//! parameters, is left out: records are for all to read.

/// The words for levels that are complaints whatever they are about.
const GRAVE: [&str; 3] = ["[emerg] ", "[alert] ", "[crit] "];

/// What it answers where the server behind it gave no answer.
const STATUSES: [&str; 3] = ["502", "503", "504"];

/// The line as it is shown, where it is such a one.
pub fn complaint(line: &str) -> Option<String> {
    of_error_log(line).or_else(|| of_access_log(line))
}

/// Whether nginx wrote it: a line of either log.
pub fn is_of_nginx(line: &str) -> bool {
    is_of_error_log(line) || request_and_status(line).is_some()
}

/// `2026/11/25 13:40:02 [`
fn is_of_error_log(line: &str) -> bool {
    let form = "0000/00/00 00:00:00 [";
    let fits = |(letter, of_form): (u8, u8)| match of_form {
        b'0' => letter.is_ascii_digit(),
        _ => letter == of_form,
    };
    line.len() > form.len() && line.bytes().zip(form.bytes()).all(fits)
}

fn of_error_log(line: &str) -> Option<String> {
    if !is_of_error_log(line) {
        return None;
    }
    let time = &line[11..19];
    let is_grave = GRAVE.iter().any(|level| line.contains(level));
    let (_, rest) = line.split_once("] ")?;
    // The process, the thread and the number of the connection: `12#12: *34 `.
    let (_, rest) = rest.split_once(": ")?;
    let message = match rest.strip_prefix('*').and_then(|it| it.split_once(' ')) {
        Some((_, message)) => message,
        None => rest,
    };
    let message = message.split(", client: ").next()?;
    let is_of_upstream = line.contains("[error] ") && message.contains("upstream");
    if !is_grave && !is_of_upstream {
        return None;
    }
    let request = line.split_once(", request: \"").map(|(_, it)| it);
    let request = request.and_then(asked).map(|it| format!(": {it}"));
    Some(format!("{time} {message}{}", request.unwrap_or_default()))
}

fn of_access_log(line: &str) -> Option<String> {
    let (request, status) = request_and_status(line)?;
    if !STATUSES.contains(&status) {
        return None;
    }
    let time = line.split_once('[').and_then(|(_, it)| it.split_once(']'));
    let time = time.and_then(|(time, _)| time.split_once(':'));
    let time = time.map(|(_, it)| it.split(' ').next().unwrap_or_default());
    let time = time.unwrap_or_default();
    Some(
        format!("{time} {status}: {request}")
            .trim_start()
            .to_owned(),
    )
}

/// `"GET /path?query HTTP/1.1" 502 157`
fn request_and_status(line: &str) -> Option<(String, &str)> {
    let mut parts = line.split('"');
    let request = parts.nth(1)?;
    let status = parts.next()?.strip_prefix(' ')?.split(' ').next()?;
    let is_status = status.len() == 3 && status.bytes().all(|it| it.is_ascii_digit());
    is_status.then_some((asked(request)?, status))
}

/// The method and the path of `GET /path?query HTTP/1.1`.
fn asked(request: &str) -> Option<String> {
    let mut words = request.split([' ', '"']);
    let (method, path) = (words.next()?, words.next()?);
    let path = path.split(['?', '#']).next()?;
    Some(format!("{method} {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: &str = ", client: 10.1.2.3, server: a.example, request: \"GET /login?token=s3cret \
                        HTTP/1.1\", upstream: \"http://unix:/run/a.sock:/login?token=s3cret\", \
                        host: \"a.example\"";

    #[test]
    fn what_was_lost_is_shown_without_who_asked_and_for_what() {
        for (line, shown) in [
            (
                format!(
                    "2026/11/25 13:40:02 [error] 12#12: *34 connect() to unix:/run/a.sock failed \
                     (111: Connection refused) while connecting to upstream{REST}"
                ),
                "13:40:02 connect() to unix:/run/a.sock failed (111: Connection refused) while \
                 connecting to upstream: GET /login",
            ),
            (
                format!(
                    "2026/11/25 13:40:02 [error] 12#12: *34 upstream prematurely closed connection \
                     while reading response header from upstream{REST}"
                ),
                "13:40:02 upstream prematurely closed connection while reading response header \
                 from upstream: GET /login",
            ),
            (
                "2026/11/25 13:40:02 [alert] 12#12: worker process 13 exited on signal 11"
                    .to_owned(),
                "13:40:02 worker process 13 exited on signal 11",
            ),
            (
                "10.1.2.3 - - [25/Nov/2026:13:40:02 +0000] \"POST /pay?card=1 HTTP/1.1\" 502 157 \
                 \"-\" \"curl/8\""
                    .to_owned(),
                "13:40:02 502: POST /pay",
            ),
        ] {
            assert_eq!(complaint(&line).as_deref(), Some(shown));
        }
    }

    #[test]
    fn what_is_no_lost_request_is_no_complaint() {
        for line in [
            "2026/11/25 13:40:02 [error] 1#1: *3 open() \"/srv/a/favicon.ico\" failed (2: No such \
             file or directory), client: 10.1.2.3, server: a, request: \"GET / HTTP/1.1\"",
            "2026/11/25 13:40:02 [warn] 1#1: *3 an upstream response is buffered to a temporary \
             file /var/x while reading upstream, client: 1.1.1.1",
            "2026/11/25 13:40:02 [notice] 1#1: signal process started",
            "1.1.1.1 - - [25/Nov/2026:13:40:02 +0000] \"GET /502 HTTP/1.1\" 200 502 \"-\" \"502\"",
            "1.1.1.1 - - [25/Nov/2026:13:40:02 +0000] \"GET /x HTTP/1.1\" 404 1 \"-\" \"-\"",
        ] {
            assert_eq!(complaint(line), None, "{line}");
            assert!(is_of_nginx(line), "{line}");
        }
        assert!(!is_of_nginx("ValueError: it said \"no\" 3 times"));
    }
}

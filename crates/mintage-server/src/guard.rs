//! Who may ask: loopback by name, one token, no other origin, JSON bodies only; and what every answer carries.
//!
//! A page of another site can reach a server on loopback through the user's browser. Against that stand, each on its own:
//! the exact list of hosts (DNS rebinding), the token in a cookie that no other site's request carries, `Sec-Fetch-Site`
//! and `Origin`, bodies of types that a form cannot send, and no `GET` that changes anything.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use subtle::ConstantTimeEq;

use crate::{
    Shared,
    problem::{PROBLEM_JSON, Problem},
};

/// What a page may load and do: only what comes from this server, no inline script, no frame of another site around it.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
     media-src 'self' blob:; connect-src 'self'; font-src 'self'; frame-src 'self'; form-action 'none'; \
     base-uri 'none'; frame-ancestors 'none'";
/// The same for what users bring or models make: nothing runs, whatever the bytes say.
pub(crate) const FILE_POLICY: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
     media-src data:; frame-ancestors 'self'";
/// Longer addresses are refused.
const MAX_URI_BYTES: usize = 8 << 10;
/// No address takes a longer body.
const MAX_LENGTH_BYTES: u64 = 128 << 20;
/// How long a browser keeps the token: until it is closed, or a month.
const COOKIE_MAX_AGE_SECS: u32 = 30 * 24 * 3600;

/// Who may ask, and what is kept from answers.
#[derive(Debug)]
pub struct Guard {
    /// What programs send as `Authorization: Bearer`; `None` where nobody is asked.
    token: Option<String>,
    /// `Host` headers that mean this server.
    hosts: Vec<String>,
    /// Other origins that may read answers.
    origins: Vec<String>,
    cookie: String,
    /// Folders whose place no answer tells, longest first.
    hidden: Vec<PathBuf>,
}

impl Guard {
    /// For a server at `at`, which is also called by `names`.
    pub fn new(
        at: SocketAddr,
        names: &[String],
        token: Option<String>,
        origins: &[String],
        hidden: &[&Path],
    ) -> Self {
        let port = at.port();
        let mut hosts: Vec<String> =
            names.iter().flat_map(|name| [format!("{name}:{port}"), name.clone()]).collect();
        let own = match at.ip() {
            IpAddr::V6(ip) => format!("[{ip}]"),
            ip => ip.to_string(),
        };
        // Browsers leave port 80 out.
        let bare = |host: &str| if port == 80 { vec![host.to_owned()] } else { vec![] };
        for host in ["localhost", "127.0.0.1", "[::1]", &own] {
            hosts.push(format!("{host}:{port}"));
            hosts.extend(bare(host));
        }
        let mut hidden: Vec<PathBuf> = hidden.iter().map(|path| path.to_path_buf()).collect();
        hidden.sort_by_key(|path| std::cmp::Reverse(path.as_os_str().len()));
        Self { token, hosts, origins: origins.to_vec(), cookie: format!("mintage-{port}"), hidden }
    }

    /// Other origins that may ask.
    pub(crate) fn origins(&self) -> &[String] {
        &self.origins
    }

    fn knows_host(&self, request: &Request) -> bool {
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        let known = |host: &str| self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host));
        host.to_str().is_ok_and(known)
            && request.uri().authority().is_none_or(|authority| known(authority.as_str()))
    }

    fn knows_token(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        let is_own = |given: &str| bool::from(given.as_bytes().ct_eq(token.as_bytes()));
        self.bearer(headers).is_some_and(is_own) || self.cookie_of(headers).is_some_and(is_own)
    }

    fn bearer<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
    }

    fn cookie_of<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
        let mut pairs = cookies.flat_map(|cookies| cookies.split(';'));
        pairs.find_map(|pair| pair.trim().strip_prefix(&self.cookie)?.strip_prefix('='))
    }

    /// A page of another site asks through the browser of the user.
    fn is_foreign(&self, request: &Request) -> bool {
        let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
        if let Some(origin) = header("origin") {
            if self.origins.iter().any(|own| own == origin) {
                return false;
            }
            let own = origin.strip_prefix("http://").or(origin.strip_prefix("https://"));
            if !own.is_some_and(|host| self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host))) {
                return true;
            }
        }
        // Another port of localhost is the same site, and another origin.
        header("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
    }

    /// A text without the places of folders on this machine.
    pub(crate) fn hide(&self, text: &str) -> String {
        let mut shown = text.to_owned();
        for path in &self.hidden {
            let path = path.display().to_string();
            if path.len() > 1 {
                shown = shown.replace(&format!("{path}/"), "").replace(&path, ".");
            }
        }
        shown
    }
}

/// Lets a request through, or says why not.
pub(crate) async fn check(State(app): State<Shared>, request: Request, next: Next) -> Response {
    if let Err(problem) = allowed(&app.guard, &request) {
        return problem.into_response();
    }
    if let Some(response) = exchange(&app.guard, &request) {
        return response;
    }
    next.run(request).await
}

fn allowed(guard: &Guard, request: &Request) -> Result<(), Problem> {
    let refuse = |detail: &str| Problem::new(StatusCode::FORBIDDEN, detail);
    if request.version() < Version::HTTP_11 {
        return Err(Problem::new(StatusCode::HTTP_VERSION_NOT_SUPPORTED, "this server speaks HTTP/1.1"));
    }
    if !guard.knows_host(request) {
        return Err(refuse("the request names another host than this server")
            .with_hint("a server that is reached by another name is started with --host-name NAME"));
    }
    plain_path(request.uri())?;
    let path = request.uri().path();
    let is_private = path.starts_with("/api") || path.starts_with("/v1");
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    if guard.is_foreign(request) && (is_private || !is_read) {
        return Err(refuse("a page of another origin may not ask this server"));
    }
    if request.method() == Method::OPTIONS {
        return Err(
            refuse("this server answers no other origin").with_hint("--origin names one that may ask")
        );
    }
    if is_private && !guard.knows_token(request.headers()) {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "the token is missing or wrong").with_hint(
            "open the address that was printed when the server started; programs send Authorization: Bearer TOKEN",
        ));
    }
    if is_read { Ok(()) } else { plain_body(guard, request) }
}

/// Paths have no parts that file systems read in another way.
fn plain_path(uri: &Uri) -> Result<(), Problem> {
    let bad = |why: &str| Problem::new(StatusCode::BAD_REQUEST, why);
    if uri.to_string().len() > MAX_URI_BYTES {
        return Err(Problem::new(StatusCode::URI_TOO_LONG, "the address is too long"));
    }
    let path = uri.path().to_ascii_lowercase();
    let escapes = ["%2e%2e", "%2f", "%5c", "%00", "%25", "\\", "//"];
    let climbs = path.split('/').any(|part| [".", "..", "%2e", ".%2e", "%2e."].contains(&part));
    match climbs || escapes.iter().any(|escape| path.contains(escape)) {
        true => Err(bad("the path has parts that no address here has")),
        false => Ok(()),
    }
}

/// Bodies are of types that a form of another site cannot send; what it can send takes a bearer token.
fn plain_body(guard: &Guard, request: &Request) -> Result<(), Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or("?"));
    let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    let path = request.uri().path();
    let fits = match kind.as_deref() {
        Some("application/json") => true,
        Some("application/octet-stream") => path == "/api/provenance",
        // OpenAI's clients send pictures so.
        Some("multipart/form-data") => {
            path == "/v1/images/variations"
                && (guard.token.is_none() || guard.bearer(request.headers()).is_some())
                && request.headers().get("sec-fetch-site").is_none()
        }
        Some(_) => false,
        None => request.method() == Method::DELETE,
    };
    let length = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > MAX_LENGTH_BYTES) {
        // Nothing of it is waited for.
        return Err(of_length());
    }
    match fits {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body has another type than this address takes",
        )
        .with_hint("send JSON, with content-type: application/json")),
    }
}

/// `/?token=…` from the printed address: the token moves into a cookie that no script and no other site sees, and out of the
/// address.
fn exchange(guard: &Guard, request: &Request) -> Option<Response> {
    let query = request.uri().query()?;
    let path = request.uri().path();
    if request.method() != Method::GET || path.starts_with("/api") || path.starts_with("/v1") {
        return None;
    }
    let given = query.split('&').find_map(|pair| pair.strip_prefix("token="))?;
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, "/")]).into_response();
    let is_own =
        guard.token.as_ref().is_some_and(|token| bool::from(given.as_bytes().ct_eq(token.as_bytes())));
    if is_own {
        let cookie = format!(
            "{}={given}; Path=/; HttpOnly; SameSite=Strict; Max-Age={COOKIE_MAX_AGE_SECS}",
            guard.cookie
        );
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
    }
    Some(response)
}

/// Gives problems their body, and every answer its headers.
pub(crate) async fn finish(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let is_openai = request.uri().path().starts_with("/v1");
    let is_api = is_openai || request.uri().path().starts_with("/api");
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = next.run(request).await;
    if let Some(mut problem) = response.extensions_mut().remove::<Problem>() {
        problem.without(&|text| app.guard.hide(text));
        response = with_body(&problem, is_openai, response);
    } else if (response.status().is_client_error() || response.status().is_server_error())
        && response.headers().get(header::ETAG).is_none()
    {
        // Of the router or a layer, and no page: an unknown path, another method, a body that is too large.
        response = with_body(&of_status(response.status()), is_openai, response);
    }
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        // Who is turned away leaves its connection to others.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    decorate(&app, response.headers_mut(), is_api, origin);
    response
}

fn with_body(problem: &Problem, is_openai: bool, old: Response) -> Response {
    let mut response = match is_openai {
        true => Json(problem.to_openai()).into_response(),
        false => {
            let mut response = Json(problem).into_response();
            response.headers_mut().insert(header::CONTENT_TYPE, PROBLEM_JSON);
            response
        }
    };
    *response.status_mut() = old.status();
    for name in [header::ALLOW, header::RETRY_AFTER, header::CONNECTION] {
        if let Some(value) = old.headers().get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

fn of_length() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than this address takes")
}

fn of_status(status: StatusCode) -> Problem {
    match status {
        StatusCode::NOT_FOUND => {
            Problem::not_found("there is nothing at this address").with_hint("GET /docs lists what there is")
        }
        StatusCode::METHOD_NOT_ALLOWED => Problem::new(status, "this address is not asked with this method"),
        StatusCode::PAYLOAD_TOO_LARGE => of_length(),
        StatusCode::REQUEST_TIMEOUT => Problem::new(status, "the body came too slowly"),
        status => Problem::new(status, "the request was not met"),
    }
}

fn decorate(app: &Shared, headers: &mut HeaderMap, is_api: bool, origin: Option<HeaderValue>) {
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, PAGE_POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    if is_api {
        set(header::CACHE_CONTROL, "no-store");
    }
    let named =
        |origin: &HeaderValue| app.guard.origins.iter().any(|own| own.as_bytes() == origin.as_bytes());
    if let Some(origin) = origin.filter(named) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
        headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    }
}

/// Keeps the bytes of users' and models' files from being anything but what they are said to be.
pub(crate) fn as_file(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(FILE_POLICY));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private, max-age=600"));
    response
}

/// An answer that a panic became: the request is at fault as little as the caller.
pub(crate) fn of_panic(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the server has gone wrong")
        .with_hint("this is a bug and none of your doing; please report what you asked for")
        .into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn hides_where_things_lie() {
        let at = SocketAddr::from(([127, 0, 0, 1], 7700));
        let guard = Guard::new(at, &[], None, &[], &[Path::new("/home/me"), Path::new("/home/me/data")]);
        assert_eq!(guard.hide("/home/me/data/shop.db: no table, in /home/me"), "shop.db: no table, in .");
    }

    #[test]
    fn the_list_of_hosts_is_exact() {
        let guard = Guard::new(SocketAddr::from(([127, 0, 0, 1], 7700)), &[], None, &[], &[]);
        let known = |hosts: &[&str]| {
            let mut request = Request::builder().uri("/");
            for host in hosts {
                request = request.header("host", *host);
            }
            request.body(Body::empty()).is_ok_and(|request| guard.knows_host(&request))
        };
        for own in ["localhost:7700", "LOCALHOST:7700", "127.0.0.1:7700", "[::1]:7700"] {
            assert!(known(&[own]), "{own}");
        }
        for foreign in
            ["localhost", "localhost:80", "127.0.0.1:7701", "evil.example:7700", "localhost:7700.evil", ""]
        {
            assert!(!known(&[foreign]), "{foreign}");
        }
        assert!(!known(&[]) && !known(&["localhost:7700", "localhost:7700"]));
    }
}

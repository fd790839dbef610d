//! Events as a shop's pages send them, as whole requests.

/// The write key of the service under load.
pub const WRITE_KEY: &str = "bench-write-key";
/// `WRITE_KEY:` in base64.
const CREDENTIALS: &str = "YmVuY2gtd3JpdGUta2V5Og==";
/// People that a shop's events are about.
pub const PEOPLE: u64 = 5_000;

/// A request that posts a body to the public listener.
pub fn post(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: shop.example.com\r\nAuthorization: Basic {CREDENTIALS}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

const NUMBER: &str = "0000000000000000";

/// Page views of visitors nobody knows yet, as the bytes of one request; only their numbers change.
#[derive(Clone)]
pub struct PageViews {
    request: Vec<u8>,
    numbers_at: Vec<usize>,
}

impl PageViews {
    /// One by itself.
    pub fn single() -> Self {
        Self::of(post("/v1/page", &Self::view()))
    }

    /// So many in a batch.
    pub fn batch(views: usize) -> Self {
        let views = vec![Self::view(); views].join(",");
        Self::of(post("/v1/batch", &format!(r#"{{"batch":[{views}]}}"#)))
    }

    fn view() -> String {
        page(NUMBER, &format!(r#""anonymousId":"visitor-{NUMBER}""#))
    }

    fn of(request: Vec<u8>) -> Self {
        let found = request.windows(NUMBER.len()).enumerate();
        let numbers_at = found.filter(|(_, bytes)| *bytes == NUMBER.as_bytes()).map(|(at, _)| at).collect();
        Self { request, numbers_at }
    }

    /// How many views a request holds.
    pub fn views(&self) -> u64 {
        self.numbers_at.len() as u64 / 2
    }

    /// The nth request: each view a message of its own by one of the visitors.
    pub fn numbered(&mut self, number: u64) -> &[u8] {
        let views = self.views();
        for (nth, at) in (number * views..).zip(self.numbers_at.chunks(2)) {
            write(&mut self.request, at[0], nth);
            write(&mut self.request, at[1], nth % PEOPLE);
        }
        &self.request
    }
}

fn write(request: &mut [u8], at: usize, mut digits: u64) {
    for place in request[at..at + NUMBER.len()].iter_mut().rev() {
        *place = b'0' + u8::try_from(digits % 10).unwrap();
        digits /= 10;
    }
}

fn page(number: &str, who: &str) -> String {
    format!(
        r#"{{"type":"page","messageId":"view-{number}",{who},"name":"Product","properties":{{"title":"A red chair",
"path":"/products/red-chair","url":"https://shop.example.com/products/red-chair","referrer":"https://shop.example.com/"}},
"context":{{"library":{{"name":"analytics.js","version":"4.1.0"}},"locale":"en-GB",
"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"}}}}"#
    )
}

/// The nth event of a shop: 84 of 100 are page views, half of them of people who have signed in before; the rest say
/// who somebody is or what they did.
pub fn of_a_shop(number: u64, people: u64) -> String {
    // Spreads the numbers over the people without a pattern that repeats with the kinds.
    let person = (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) % people;
    let who = format!(r#""userId":"user-{person}","anonymousId":"visitor-{person}""#);
    let track = |name: &str| {
        format!(
            r#"{{"type":"track","messageId":"shop-{number}",{who},"event":"{name}","properties":{{"value":{number}}}}}"#
        )
    };
    let visit = format!("shop-{number}");
    match number % 100 {
        0..42 => page(&visit, &who),
        42..84 => page(&visit, &format!(r#""anonymousId":"visitor-{person}""#)),
        84..89 => known(person, &visit),
        89..93 => track("Logged In"),
        93..97 => track("Product Added"),
        97 | 98 => track("Lead Generated"),
        _ => track("Order Completed"),
    }
}

/// Says who one of the shop's people is.
pub fn known(person: u64, message: &str) -> String {
    format!(
        r#"{{"type":"identify","messageId":"{message}","userId":"user-{person}","anonymousId":"visitor-{person}",
"traits":{{"email":"person-{person}@example.com","first_name":"Jane","last_name":"Doe {person}","phone":"+44 7700 900123",
"company":"Globex","city":"London","country":"United Kingdom"}},
"context":{{"consent":{{"categoryPreferences":{{"marketing":true}}}}}}}}"#
    )
}

//! Whom an order about a person may name.

use super::*;

#[tokio::test]
async fn a_name_space_that_can_not_be_read_again_is_refused_before_anything_is_ordered() {
    let lab = Lab::new();
    for people in ["a%3Ab", "%3A", "user%3A"] {
        for method in ["GET", "DELETE"] {
            let path = format!("/api/people?userId=u&people={people}");
            let reply = lab.send(request(method, &path).body(Body::empty()).unwrap()).await;
            assert_eq!(
                reply.refusal(),
                (400, "invalid_parameter".into(), json!("people")),
                "{method} {path}"
            );
        }
    }
}

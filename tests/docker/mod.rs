//! The container engine, really.

use crate::support::images;

#[tokio::test]
async fn test_images_are_made_once() {
    let first = images::web_image("hello").await;
    assert_eq!(first, images::web_image("hello").await);
    assert_ne!(first, images::web_image("other").await);
}

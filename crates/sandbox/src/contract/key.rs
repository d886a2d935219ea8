//! Under which key operations are looked up; `build.rs` and `find` agree on it.

/// So many segments of a path lead to the operations that are worth a look.
const KEY_SEGMENTS: usize = 3;

/// The method and the first segments, or fewer where a parameter comes earlier.
pub(crate) fn key(method: &str, path: &str) -> String {
    let mut key = method.to_owned();
    for segment in path.trim_start_matches('/').split('/').take(KEY_SEGMENTS) {
        if segment.contains('{') {
            break;
        }
        key.push('/');
        key.push_str(segment);
    }
    key
}

//! From method and path to a handler, by the tables that the areas declare.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::ApiError;
use crate::reply::Reply;
use crate::request::Request;
use crate::workspace::Workspace;

pub(crate) type Outcome = Result<Reply, ApiError>;
pub(crate) type Pending = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// What answers a route. Most do so at once; a few wait.
#[derive(Clone, Copy)]
pub(crate) enum Handler {
    Now(fn(&Workspace, &Request) -> Outcome),
    Later(fn(Arc<Workspace>, Request) -> Pending),
}

/// One line of an area's table. `{name}` takes a segment, a final `{*name}` all that is left.
#[derive(Clone, Copy)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) template: &'static str,
    pub(crate) handler: Handler,
    pub(crate) public: bool,
}

/// A route answered at once.
pub(crate) const fn route(
    method: &'static str,
    template: &'static str,
    handler: fn(&Workspace, &Request) -> Outcome,
) -> Route {
    Route { method, template, handler: Handler::Now(handler), public: false }
}

/// A route that may wait.
pub(crate) const fn waiting(
    method: &'static str,
    template: &'static str,
    handler: fn(Arc<Workspace>, Request) -> Pending,
) -> Route {
    Route { method, template, handler: Handler::Later(handler), public: false }
}

/// A route that asks for no token.
pub(crate) const fn public(
    method: &'static str,
    template: &'static str,
    handler: fn(&Workspace, &Request) -> Outcome,
) -> Route {
    Route { method, template, handler: Handler::Now(handler), public: true }
}

pub(crate) type Bound = Vec<(&'static str, String)>;

pub(crate) struct Router {
    by_length: HashMap<(&'static str, usize), Vec<Route>>,
    open_ended: Vec<Route>,
}

impl Router {
    pub(crate) fn new(routes: impl IntoIterator<Item = Route>) -> Self {
        let mut by_length: HashMap<_, Vec<Route>> = HashMap::new();
        let mut open_ended = Vec::new();
        for route in routes {
            if route.template.contains("{*") {
                open_ended.push(route);
            } else {
                by_length.entry((route.method, segments(route.template).count())).or_default().push(route);
            }
        }
        // A literal segment is a better match than a parameter.
        for routes in by_length.values_mut() {
            routes.sort_by_key(|route| route.template.matches('{').count());
        }
        Self { by_length, open_ended }
    }

    pub(crate) fn find(&self, method: &str, path: &str) -> Option<(Route, Bound)> {
        let trimmed = path.strip_suffix('/').unwrap_or(path);
        let length = segments(trimmed).count();
        let exact = self
            .by_length
            .get(&(method, length))
            .and_then(|routes| routes.iter().find_map(|route| Some((*route, bind(route.template, trimmed)?))));
        exact.or_else(|| {
            self.open_ended
                .iter()
                .filter(|route| route.method == method)
                .find_map(|route| Some((*route, bind_open(route.template, path)?)))
        })
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

fn parameter(segment: &'static str) -> Option<&'static str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

fn bind(template: &'static str, path: &str) -> Option<Bound> {
    let mut bound = Bound::new();
    for (expected, actual) in segments(template).zip(segments(path)) {
        match parameter(expected) {
            Some(name) if !actual.is_empty() => bound.push((name, actual.to_owned())),
            Some(_) => return None,
            None if expected == actual => {}
            None => return None,
        }
    }
    Some(bound)
}

fn bind_open(template: &'static str, path: &str) -> Option<Bound> {
    let (prefix, name) = template.split_once("{*")?;
    let rest = path.strip_prefix(prefix)?;
    let name = name.strip_suffix('}')?;
    Some(vec![(name, rest.to_owned())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(_: &Workspace, _: &Request) -> Outcome {
        Ok(Reply::nothing())
    }

    #[test]
    fn prefers_literals_and_binds_the_rest() {
        let router = Router::new([
            route("GET", "/a/{id}", answer),
            route("GET", "/a/default", answer),
            route("PUT", "/fs{*path}", answer),
        ]);
        assert_eq!(router.find("GET", "/a/default").unwrap().0.template, "/a/default");
        assert_eq!(router.find("GET", "/a/x/").unwrap().1, [("id", "x".to_owned())]);
        assert_eq!(router.find("PUT", "/fs/Volumes/x").unwrap().1, [("path", "/Volumes/x".to_owned())]);
        assert!(router.find("POST", "/a/x").is_none());
        assert!(router.find("GET", "/a/").is_none());
    }
}

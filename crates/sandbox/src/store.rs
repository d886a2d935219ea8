//! Objects that an area keeps as JSON: a shelf per kind, each object under its id, in the order in which they came.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::json::Members;
use crate::reply::Reply;
use crate::router::Outcome;
use crate::workspace::{Workspace, lock};

/// A kind of object: the shelf it lies on, and what a request for one that is not there is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) missing: fn(&str) -> ApiError,
}

/// Objects with the place each has in the order.
type Shelf = BTreeMap<String, (u64, Value)>;

#[derive(Debug, Default)]
struct Shelves {
    shelves: BTreeMap<&'static str, Shelf>,
    /// How many objects ever came.
    count: u64,
}

/// All shelves of a workspace.
#[derive(Debug, Default)]
pub(crate) struct Store(Mutex<Shelves>);

impl Kind {
    /// Puts an object in, or another one in its place.
    pub(crate) fn put(&self, workspace: &Workspace, id: &str, object: Value) {
        let mut store = lock(&workspace.store.0);
        store.count += 1;
        let count = store.count;
        let shelf = store.shelves.entry(self.name).or_default();
        let place = shelf.get(id).map_or(count, |(place, _)| *place);
        shelf.insert(id.to_owned(), (place, object));
    }

    /// Puts an object in, and the oldest out where there are more than `most`: for what reading leaves behind.
    pub(crate) fn put_one_of(&self, workspace: &Workspace, id: &str, object: Value, most: usize) {
        self.put(workspace, id, object);
        let mut store = lock(&workspace.store.0);
        let Some(shelf) = store.shelves.get_mut(self.name).filter(|shelf| shelf.len() > most) else { return };
        let oldest = shelf.iter().min_by_key(|(_, (place, _))| *place).map(|(id, _)| id.clone());
        oldest.and_then(|id| shelf.remove(&id));
    }

    /// Puts an object in unless one of those that are there stands against it.
    pub(crate) fn add_unless(
        &self,
        workspace: &Workspace,
        id: &str,
        object: Value,
        against: impl Fn(&str, &Value) -> bool,
    ) -> bool {
        let mut store = lock(&workspace.store.0);
        store.count += 1;
        let count = store.count;
        let shelf = store.shelves.entry(self.name).or_default();
        if shelf.iter().any(|(id, (_, known))| against(id, known)) {
            return false;
        }
        let place = shelf.get(id).map_or(count, |(place, _)| *place);
        shelf.insert(id.to_owned(), (place, object));
        true
    }

    pub(crate) fn find(&self, workspace: &Workspace, id: &str) -> Option<Value> {
        Some(lock(&workspace.store.0).shelves.get(self.name)?.get(id)?.1.clone())
    }

    pub(crate) fn get(&self, workspace: &Workspace, id: &str) -> Result<Value, ApiError> {
        self.find(workspace, id).ok_or_else(|| (self.missing)(id))
    }

    pub(crate) fn has(&self, workspace: &Workspace, id: &str) -> bool {
        lock(&workspace.store.0).shelves.get(self.name).is_some_and(|shelf| shelf.contains_key(id))
    }

    /// Whether the condition holds of one of the objects.
    pub(crate) fn any(&self, workspace: &Workspace, condition: impl Fn(&Value) -> bool) -> bool {
        let store = lock(&workspace.store.0);
        store.shelves.get(self.name).is_some_and(|shelf| shelf.values().any(|(_, object)| condition(object)))
    }

    /// All objects, oldest first.
    pub(crate) fn all(&self, workspace: &Workspace) -> Vec<Value> {
        let store = lock(&workspace.store.0);
        let mut found: Vec<_> = store.shelves.get(self.name).into_iter().flat_map(BTreeMap::values).collect();
        found.sort_by_key(|(place, _)| *place);
        found.into_iter().map(|(_, object)| object.clone()).collect()
    }

    /// Changes an object where it lies. What does this must not ask for another one: the shelves are locked.
    pub(crate) fn change<T>(
        &self,
        workspace: &Workspace,
        id: &str,
        body: impl FnOnce(&mut Value) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let mut store = lock(&workspace.store.0);
        let object = store.shelves.get_mut(self.name).and_then(|shelf| shelf.get_mut(id));
        body(&mut object.ok_or_else(|| (self.missing)(id))?.1)
    }

    /// Sets members of an object, and tells it as it is then.
    pub(crate) fn merge(
        &self,
        workspace: &Workspace,
        id: &str,
        members: Map<String, Value>,
    ) -> Result<Value, ApiError> {
        self.change(workspace, id, |object| {
            object.merge(members);
            Ok(object.clone())
        })
    }

    pub(crate) fn remove(&self, workspace: &Workspace, id: &str) -> Result<Value, ApiError> {
        let mut store = lock(&workspace.store.0);
        let gone = store.shelves.get_mut(self.name).and_then(|shelf| shelf.remove(id));
        gone.map(|(_, object)| object).ok_or_else(|| (self.missing)(id))
    }

    /// Removes all objects of which the condition holds.
    pub(crate) fn remove_all(&self, workspace: &Workspace, gone: impl Fn(&Value) -> bool) {
        if let Some(shelf) = lock(&workspace.store.0).shelves.get_mut(self.name) {
            shelf.retain(|_, (_, object)| !gone(object));
        }
    }

    /// Moves an object to another id.
    pub(crate) fn rename(&self, workspace: &Workspace, id: &str, other: &str) -> Result<(), ApiError> {
        let object = self.remove(workspace, id)?;
        self.put(workspace, other, object);
        Ok(())
    }

    /// Answers an object as it lies there.
    pub(crate) fn tell(&self, workspace: &Workspace, id: &str) -> Outcome {
        self.get(workspace, id).map(Reply::json)
    }

    /// Removes an object and answers nothing.
    pub(crate) fn drop(&self, workspace: &Workspace, id: &str) -> Outcome {
        self.remove(workspace, id).map(|_| Reply::nothing())
    }
}

/// The fields that a comma-separated mask names, as far as they were given; `*` names all.
pub(crate) fn masked(fields: &Map<String, Value>, mask: &str) -> Map<String, Value> {
    let named =
        |name: &str| mask.split(',').map(str::trim).any(|part| part == "*" || part.split('.').next() == Some(name));
    fields.iter().filter(|(name, _)| named(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const THINGS: Kind = Kind { name: "things", missing: |id| ApiError::does_not_exist(format!("no {id}")) };

    #[test]
    fn keeps_objects_in_order() {
        let workspace = Workspace::new(&crate::Options::default(), String::new());
        for id in ["b", "a", "c"] {
            THINGS.put(&workspace, id, json!({"id": id}));
        }
        THINGS.put(&workspace, "b", json!({"id": "b", "more": 1}));
        assert!(!THINGS.add_unless(&workspace, "d", json!({}), |id, _| id == "a"));
        let merged = THINGS.merge(&workspace, "a", json!({"x": 2}).as_object().unwrap().clone()).unwrap();
        assert_eq!(merged, json!({"id": "a", "x": 2}));
        THINGS.rename(&workspace, "c", "e").unwrap();
        assert_eq!(THINGS.all(&workspace).len(), 3);
        assert_eq!(THINGS.all(&workspace)[0], json!({"id": "b", "more": 1}));
        assert!(THINGS.get(&workspace, "c").is_err() && THINGS.remove(&workspace, "e").is_ok());
    }

    #[test]
    fn what_reading_leaves_is_bounded() {
        let workspace = Workspace::new(&crate::Options::default(), String::new());
        for id in ["c", "b", "a"] {
            THINGS.put_one_of(&workspace, id, json!(id), 2);
        }
        assert_eq!(THINGS.all(&workspace), [json!("b"), json!("a")]);
    }

    #[test]
    fn a_mask_names_top_level_fields() {
        let fields = json!({"a": 1, "b": {"c": 2}, "d": 3}).as_object().unwrap().clone();
        assert_eq!(Value::Object(masked(&fields, "a, b.c")), json!({"a": 1, "b": {"c": 2}}));
        assert_eq!(masked(&fields, "*"), fields);
    }
}

//! What is kept, cut and said.

use serde_json::{Value, json};

use crate::shape::{Budget, decode, exact, fit, fit_row, notice, page};

#[test]
fn only_integers_beyond_two_to_the_53_become_text() {
    let mut value =
        json!([9_007_199_254_740_992_u64, 9_007_199_254_740_993_u64, -9_007_199_254_740_993_i64, 1.5, u64::MAX]);
    exact(&mut value);
    assert_eq!(
        value,
        json!([9_007_199_254_740_992_u64, "9007199254740993", "-9007199254740993", 1.5, "18446744073709551615"])
    );
}

#[test]
fn base64_becomes_text_where_it_is_text() {
    let mut value = json!({ "content": "cHJpbnQoMSk=", "blob": "/w==", "plain": "no base64!" });
    decode(&mut value, &["content", "blob", "plain", "missing"]);
    assert_eq!(value, json!({ "content": "print(1)", "blob": "/w==", "plain": "no base64!" }));
}

#[test]
fn a_page_is_cut_between_items_and_leaves_room_for_its_envelope() {
    let items: Vec<Value> = (0..100).map(|number| json!({ "number": number })).collect();
    let page = page(items, Budget { characters: 60 });
    assert_eq!((page.items.len(), page.taken, page.cuts.len()), (3, 3, 0));
}

#[test]
fn one_huge_item_is_cut_inside_and_never_lost() {
    let page = page([json!({ "text": "x".repeat(9_000) }), json!(1)], Budget { characters: 5_000 });
    assert_eq!(page.taken, 1);
    let kept = page.items[0]["text"].as_str().map_or(0, |text| text.chars().count() - 1);
    assert!(kept > 2_500, "{kept}");
    assert_eq!(page.cuts, [format!("text: first {kept} of 9000 characters")]);
}

#[test]
fn a_cut_object_says_what_was_cut() {
    let mut value = json!({ "rows": vec![0; 5_000], "name": "n" });
    let cuts = fit(&mut value, Budget { characters: 300 });
    notice(&mut value, cuts, "ask for less");
    let kept = value["rows"].as_array().map_or(0, Vec::len);
    assert!(kept > 50, "{kept}");
    assert_eq!(value["hint"], format!("cut rows: first {kept} of 5000 items; ask for less"));
    assert_eq!((&value["name"], &value["truncated"]), (&json!("n"), &json!(true)));
}

/// An object of so many texts.
fn map(keys: usize, text: &str) -> Value {
    (0..keys).map(|key| (format!("key{key}"), json!(text))).collect::<serde_json::Map<_, _>>().into()
}

#[test]
fn whatever_an_answer_holds_it_fits_with_its_notice() {
    let long = "x".repeat(50_000);
    let mut deep = json!({ "leaf": long, "list": vec![1; 9_000] });
    for level in 0..100 {
        deep = json!({ "deeper": deep, "beside": map(3, "text"), "level": level });
    }
    for whole in [
        map(5_000, "v"),
        json!({ "id": "7", "properties": map(5_000, "v"), "name": "n" }),
        json!({ "items": vec![map(2_000, "v"); 20], "hint": "h" }),
        json!(vec![json!([long, long]); 50]),
        json!({ long.clone(): 1, "short": long }),
        json!({ "quotes": "\"\u{1}\n".repeat(20_000), "letters": "ü😀".repeat(20_000) }),
        json!({ "a": long, "b": map(3_000, &long), "c": vec![json!({ "d": long }); 3_000] }),
        json!(long),
        deep,
    ] {
        for characters in [1_500, 3_000, 18_000] {
            let mut value = whole.clone();
            let cuts = fit(&mut value, Budget { characters });
            assert!(!cuts.is_empty(), "nothing is said of a cut");
            if value.is_object() {
                notice(&mut value, cuts, "ask for less");
            }
            let size = value.to_string().chars().count();
            assert!(size <= characters, "{size} of {characters}: {}", value.to_string().get(..300).unwrap_or_default());
            assert!(size > characters / 3, "{size} of {characters}: room is wasted");
        }
    }
}

#[test]
fn small_facts_stay_whole_beside_large_ones() {
    let whole =
        json!({ "id": "7", "logs": "x".repeat(50_000), "settings": map(5_000, "v"), "state": "RUNNING", "n": 3 });
    let mut value = whole.clone();
    let cuts = fit(&mut value, Budget { characters: 6_000 });
    for name in ["id", "state", "n"] {
        assert_eq!(value[name], whole[name]);
    }
    let kept = value["settings"].as_object().map_or(0, serde_json::Map::len);
    assert!(kept > 100, "{kept}");
    assert!(cuts.contains(&format!("settings: {kept} of 5000 fields")), "{cuts:?}");
}

#[test]
fn a_row_keeps_all_its_cells() {
    let mut row = json!(vec!["x".repeat(500); 200]);
    let cuts = fit_row(&mut row, Budget { characters: 9_000 });
    assert_eq!((row.as_array().map(Vec::len), cuts.len()), (Some(200), 200));
    assert!(row.to_string().chars().count() <= 9_000);
}

#[test]
fn parts_share_room_and_the_small_ones_stay_whole() {
    let mut parts = [json!("x".repeat(5_000)), json!({ "a": 1 }), json!(vec![json!({ "b": "y".repeat(50) }); 200])];
    let cut = super::fit_parts(parts.iter_mut(), 1_000);
    assert_eq!((cut, &parts[1]), (2, &json!({ "a": 1 })));
    let sizes: Vec<_> = parts.iter().map(|part| part.to_string().chars().count()).collect();
    assert!(sizes.iter().sum::<usize>() <= 1_000 && sizes.iter().sum::<usize>() > 900, "{sizes:?}");
    assert_eq!(super::fit_parts(parts.iter_mut(), 1_000), 0);
    assert_eq!(super::fit_parts([], 0), 0);
}

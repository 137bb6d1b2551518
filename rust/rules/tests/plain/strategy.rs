//! Any expressions, and any payloads for them.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value as Json, json};

use super::expression::Expr;
use super::functions::FUNCTIONS;

/// Fields of payloads.
const KEYS: &[&str] = &["a", "b", "c", "d e", "select", "größe"];

/// Texts of which some say something else than they are.
const TEXTS: &[&str] =
    &["", "a", "ab", "abc", "B", "12", "2.5", "-3", " 7 ", "true", "false", "null", "a%", "größe", "it's \"\\\n"];

const PATTERNS: &[&str] = &["a%", "_", "%b%", "%", "", "__", "gr%e", "a_c", "1_"];

/// Numbers with few digits, so that sums of them are exact, and those at the edges.
fn any_number() -> impl Strategy<Value = Json> {
    prop_oneof![
        6 => (-9i64..=12).prop_map(Json::from),
        4 => (-20i32..=40).prop_map(|quarters| json!(f64::from(quarters) / 4.0)),
        1 => select(vec![json!(i64::MAX), json!(i64::MIN), json!(1i64 << 53), json!(1e300), json!(-1e300), json!(0.1)]),
    ]
}

fn any_scalar() -> impl Strategy<Value = Json> {
    prop_oneof![
        2 => Just(Json::Null),
        2 => any::<bool>().prop_map(Json::from),
        6 => any_number(),
        5 => select(TEXTS).prop_map(Json::from),
    ]
}

fn any_json() -> impl Strategy<Value = Json> {
    any_scalar().prop_recursive(3, 12, 4, |inner| {
        let entries = vec((select(KEYS), inner.clone()), 0..3);
        prop_oneof![
            vec(inner, 0..4).prop_map(Json::from),
            entries.prop_map(|entries| entries.into_iter().map(|(key, one)| (key.to_owned(), one)).collect()),
        ]
    })
}

/// An object with some of the fields.
pub(crate) fn any_payload() -> impl Strategy<Value = Json> {
    let fields = vec((select(KEYS), any_json()), 0..7);
    fields.prop_map(|fields| fields.into_iter().map(|(key, one)| (key.to_owned(), one)).collect())
}

fn any_literal() -> impl Strategy<Value = Expr> {
    any_scalar().prop_map(|value| match (value.as_i64(), value.as_f64()) {
        // What is below zero is written as the negative of a literal.
        (Some(whole @ ..0), _) => negative(whole.saturating_neg().into()),
        (None, Some(number)) if number < 0.0 => negative((-number).into()),
        _ => Expr::Literal(value),
    })
}

fn negative(literal: Json) -> Expr {
    Expr::Negative(Expr::Literal(literal).into())
}

fn any_leaf() -> impl Strategy<Value = Expr> {
    let field = select(KEYS).prop_map(Expr::Field);
    prop_oneof![
        3 => any_literal(),
        3 => field.clone(),
        1 => (field.clone(), select(KEYS)).prop_map(|(inner, key)| Expr::Member(inner.into(), key)),
        1 => (field, 0i64..3).prop_map(|(inner, at)| Expr::Index(inner.into(), Expr::Literal(at.into()).into())),
    ]
}

/// Whatever can stand where a condition is expected.
fn condition(expr: Expr) -> Expr {
    match expr.is_no_condition() {
        true => Expr::Binary(expr.into(), ">", Expr::Literal(json!(1)).into()),
        false => expr,
    }
}

/// An expression of some depth.
pub(crate) fn any_expression() -> impl Strategy<Value = Expr> {
    any_leaf().prop_recursive(5, 40, 4, |inner| {
        let one = || inner.clone();
        let pair = || (inner.clone(), inner.clone());
        let conditions = || pair().prop_map(|(left, right)| (condition(left), condition(right)));
        // A key without a value is left out of an object, which is not for here: so there is null at least.
        let entry = one().prop_map(|value| Expr::Call("coalesce", vec![value]));
        prop_oneof![
            6 => (pair(), select(vec!["+", "-", "*", "/", "div", "%"])).prop_map(binary),
            4 => (pair(), select(vec!["=", "<>", "<", "<=", ">", ">="])).prop_map(binary),
            1 => (pair(), Just("||")).prop_map(binary),
            3 => (conditions(), select(vec!["AND", "OR"])).prop_map(binary),
            2 => one().prop_map(|inner| Expr::Not(condition(inner).into())),
            1 => one().prop_map(|inner| Expr::Negative(inner.into())),
            1 => (one(), any::<bool>()).prop_map(|(inner, not)| Expr::IsNull(inner.into(), not)),
            1 => (one(), vec(one(), 1..4), any::<bool>()).prop_map(|(inner, all, not)| Expr::In(inner.into(), all, not)),
            1 => (one(), array(one()), any::<bool>())
                .prop_map(|(inner, array, not)| Expr::InArray(inner.into(), array.into(), not)),
            1 => (one(), one(), one(), any::<bool>())
                .prop_map(|(inner, low, high, not)| Expr::Between([inner, low, high].into(), not)),
            1 => (one(), pattern(one()), any::<bool>())
                .prop_map(|(inner, pattern, not)| Expr::Like(inner.into(), pattern.into(), not)),
            1 => (one(), vec(pair(), 1..3), proptest::option::of(one())).prop_map(|(subject, branches, otherwise)| {
                Expr::Case(Some(subject.into()), branches, otherwise.map(Box::new))
            }),
            1 => (vec(pair(), 1..3), proptest::option::of(one())).prop_map(|(branches, otherwise)| {
                let branches = branches.into_iter().map(|(when, then)| (condition(when), then)).collect();
                Expr::Case(None, branches, otherwise.map(Box::new))
            }),
            1 => (one(), select(KEYS)).prop_map(|(inner, key)| Expr::Member(inner.into(), key)),
            1 => pair().prop_map(|(inner, index)| Expr::Index(inner.into(), index.into())),
            1 => vec(one(), 0..3).prop_map(Expr::Array),
            1 => btree_map(select(KEYS), entry, 0..3).prop_map(|entries| Expr::Object(entries.into_iter().collect())),
            6 => (select(FUNCTIONS), vec(one(), 4))
                .prop_flat_map(|((name, least, most), all)| {
                    (least..=most).prop_map(move |count| Expr::Call(name, all[..count].to_vec()))
                }),
        ]
    })
}

fn binary(((left, right), operator): ((Expr, Expr), &'static str)) -> Expr {
    Expr::Binary(left.into(), operator, right.into())
}

/// What may stand behind IN without a parenthesis in front.
fn array(one: impl Strategy<Value = Expr>) -> impl Strategy<Value = Expr> {
    prop_oneof![vec(one, 0..4).prop_map(Expr::Array), select(KEYS).prop_map(Expr::Field)]
}

fn pattern(one: impl Strategy<Value = Expr>) -> impl Strategy<Value = Expr> {
    prop_oneof![4 => select(PATTERNS).prop_map(|text| Expr::Literal(text.into())), 1 => one]
}

//! Any expressions, and any payloads for them.
//!
//! Most have values of the kinds that they work on: where nothing fits, there is nothing to compare but failures.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value as Json, json};

use super::expression::Expr;
use super::functions::FUNCTIONS;

/// Texts of which some say something else than they are.
const TEXTS: &[&str] = &[
    "",
    "a",
    "ab",
    "abc",
    "B",
    "12",
    "2.5",
    "-3",
    " 7 ",
    "true",
    "false",
    "null",
    "a%",
    "größe",
    "it's \"\\\n",
];

const PATTERNS: &[&str] = &["a%", "_", "%b%", "%", "", "__", "gr%e", "a_c", "1_", "a_", "%_%"];

/// Keys: what is at the first of each is mostly of a kind.
const KEYS: &[&str] = &["n", "m", "t", "u", "y", "l", "o", "d e", "select", "größe"];

/// A kind of value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Number,
    Text,
    Bool,
    Array,
    Any,
}

/// Numbers with few digits, so that sums of them are exact, and those at the edges.
fn any_number() -> BoxedStrategy<Json> {
    let edges =
        [json!(i64::MAX), json!(i64::MIN), json!(1i64 << 53), json!(1e300), json!(-1e300), json!(0.1)];
    prop_oneof![
        6 => (-9i64..=12).prop_map(Json::from),
        3 => (0i64..3).prop_map(Json::from),
        4 => (-20i32..=40).prop_map(|quarters| json!(f64::from(quarters) / 4.0)),
        1 => select(edges.to_vec()),
    ]
    .boxed()
}

fn any_text() -> BoxedStrategy<Json> {
    select(TEXTS).prop_map(Json::from).boxed()
}

fn any_scalar() -> BoxedStrategy<Json> {
    let bool = any::<bool>().prop_map(Json::from);
    prop_oneof![1 => Just(Json::Null), 1 => bool, 3 => any_number(), 2 => any_text()].boxed()
}

fn object(entries: Vec<(&str, Json)>) -> Json {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn any_json() -> BoxedStrategy<Json> {
    let some = any_scalar().prop_recursive(2, 8, 4, |inner| {
        let entries = vec((select(KEYS), inner.clone()), 0..3);
        prop_oneof![vec(inner, 0..4).prop_map(Json::from), entries.prop_map(object)]
    });
    some.boxed()
}

/// An object with some of the fields.
pub(crate) fn any_payload() -> BoxedStrategy<Json> {
    let numbers = vec(any_number(), 0..5).prop_map(Json::from);
    let mostly = |usual: BoxedStrategy<Json>| prop_oneof![7 => usual, 1 => any_json()];
    let usual = (
        mostly(any_number()),
        mostly(any_number()),
        mostly(any_text()),
        mostly(any_text()),
        mostly(any::<bool>().prop_map(Json::from).boxed()),
        mostly(numbers.boxed()),
        vec((select(KEYS), any_json()), 0..3).prop_map(object),
    );
    let payload = (usual, vec((select(KEYS), any_json()), 0..3), option::of(select(KEYS)));
    let payload = payload.prop_map(|((n, m, t, u, y, l, o), others, missing)| {
        let mut all = vec![("n", n), ("m", m), ("t", t), ("u", u), ("y", y), ("l", l), ("o", o)];
        all.extend(others);
        all.retain(|(key, _)| missing != Some(*key));
        object(all)
    });
    payload.boxed()
}

/// What is written as a literal; what is below zero as the negative of one.
fn literal(value: Json) -> Expr {
    let negative = |value: Json| Expr::Negative(Expr::Literal(value).into());
    match (value.as_i64(), value.as_f64()) {
        (Some(whole @ ..0), _) => negative(whole.saturating_neg().into()),
        (None, Some(number)) if number < 0.0 => negative((-number).into()),
        _ => Expr::Literal(value),
    }
}

/// Expressions of some depth, by what they mostly give.
#[derive(Clone)]
struct Layer {
    number: BoxedStrategy<Expr>,
    text: BoxedStrategy<Expr>,
    bool: BoxedStrategy<Expr>,
    array: BoxedStrategy<Expr>,
    any: BoxedStrategy<Expr>,
}

/// An expression of some depth.
pub(crate) fn any_expression() -> BoxedStrategy<Expr> {
    let layers = [Layer::leaves(), Layer::leaves().next(), Layer::leaves().next().next()];
    let [leaf, small, large] = layers.map(|layer| layer.next().any);
    prop_oneof![leaf, small, large].boxed()
}

impl Layer {
    fn leaves() -> Self {
        let some = |values: BoxedStrategy<Json>, fields: &'static [&str]| {
            prop_oneof![values.prop_map(literal), select(fields).prop_map(Expr::Field)].boxed()
        };
        let bool = prop_oneof![any::<bool>().prop_map(Json::from), Just(Json::Null)];
        let literals = vec(any_scalar().prop_map(literal), 0..4).prop_map(Expr::Array);
        Self {
            number: some(any_number(), &["n", "m"]),
            text: some(any_text(), &["t", "u"]),
            bool: some(bool.boxed(), &["y"]),
            array: prop_oneof![literals, Just(Expr::Field("l"))].boxed(),
            any: some(any_scalar(), KEYS),
        }
    }

    /// Of a kind, mostly.
    fn of(&self, kind: Kind) -> BoxedStrategy<Expr> {
        let usual = match kind {
            Kind::Number => &self.number,
            Kind::Text => &self.text,
            Kind::Bool => &self.bool,
            Kind::Array => &self.array,
            Kind::Any => return self.any.clone(),
        };
        prop_oneof![11 => usual.clone(), 1 => self.any.clone()].boxed()
    }

    fn pair(&self, kind: Kind) -> BoxedStrategy<(Expr, Expr)> {
        (self.of(kind), self.of(kind)).boxed()
    }

    /// Expressions that are made of these.
    fn next(&self) -> Self {
        let either = |kind, more: BoxedStrategy<Expr>| {
            let same = prop_oneof![4 => more, 2 => self.calls(kind), 1 => self.case(kind)];
            same.boxed()
        };
        let number = either(Kind::Number, self.numbers());
        let text = either(Kind::Text, self.binary(Kind::Text, &["||", "||", "+"]));
        let bool = either(Kind::Bool, self.tests());
        let array = either(Kind::Array, vec(self.of(Kind::Any), 0..4).prop_map(Expr::Array).boxed());
        let [a_number, a_text, a_bool, an_array] = [&number, &text, &bool, &array].map(Clone::clone);
        let any = prop_oneof![4 => a_number, 2 => a_text, 5 => a_bool, 1 => an_array, 2 => self.mixed()];
        Self { number, text, bool, array, any: any.boxed() }
    }

    fn binary(&self, kind: Kind, operators: &[&'static str]) -> BoxedStrategy<Expr> {
        let both = (self.pair(kind), select(operators.to_vec()));
        both.prop_map(|((left, right), operator)| Expr::Binary(left.into(), operator, right.into())).boxed()
    }

    fn numbers(&self) -> BoxedStrategy<Expr> {
        let place = (-4i64..4).prop_map(|place| literal(place.into()));
        let item = (self.of(Kind::Array), prop_oneof![3 => place, 1 => self.of(Kind::Number)]);
        prop_oneof![
            8 => self.binary(Kind::Number, &["+", "-", "*", "/", "div", "%"]),
            1 => self.of(Kind::Number).prop_map(|inner| Expr::Negative(inner.into())),
            2 => item.prop_map(|(inner, place)| Expr::Index(inner.into(), place.into())),
        ]
        .boxed()
    }

    fn tests(&self) -> BoxedStrategy<Expr> {
        const COMPARISONS: &[&str] = &["=", "<>", "<", "<=", ">", ">="];
        let condition = self.of(Kind::Bool).prop_map(condition);
        let conditions = (condition.clone(), select(vec!["AND", "OR"]), condition.clone());
        let (one, list) = (self.of(Kind::Number), vec(self.of(Kind::Number), 1..4));
        let between = (one.clone(), one.clone(), one.clone(), any::<bool>());
        let like = (self.of(Kind::Text), self.pattern(), any::<bool>());
        let in_array = (one.clone(), self.behind_in(), any::<bool>());
        prop_oneof![
            // Not of anything: here arrays hold null where nothing is.
            1 => select(KEYS).prop_map(|key| Expr::Call("is_missing", vec![Expr::Field(key)])),
            3 => self.binary(Kind::Number, COMPARISONS),
            2 => self.binary(Kind::Text, COMPARISONS),
            1 => self.binary(Kind::Array, COMPARISONS),
            2 => self.binary(Kind::Any, COMPARISONS),
            3 => conditions.prop_map(|(left, by, right)| Expr::Binary(left.into(), by, right.into())),
            1 => condition.prop_map(|inner| Expr::Not(inner.into())),
            1 => (self.of(Kind::Any), any::<bool>()).prop_map(|(inner, not)| Expr::IsNull(inner.into(), not)),
            1 => (one, list, any::<bool>()).prop_map(|(inner, all, not)| Expr::In(inner.into(), all, not)),
            1 => in_array.prop_map(|(inner, array, not)| Expr::InArray(inner.into(), array.into(), not)),
            1 => between.prop_map(|(inner, low, high, not)| Expr::Between([inner, low, high].into(), not)),
            2 => like.prop_map(|(inner, pattern, not)| Expr::Like(inner.into(), pattern.into(), not)),
        ]
        .boxed()
    }

    /// What may stand behind IN without a parenthesis in front.
    fn behind_in(&self) -> BoxedStrategy<Expr> {
        let items = vec(self.of(Kind::Number), 0..4).prop_map(Expr::Array);
        prop_oneof![items, Just(Expr::Field("l")), select(KEYS).prop_map(Expr::Field)].boxed()
    }

    fn pattern(&self) -> BoxedStrategy<Expr> {
        let known = select(PATTERNS).prop_map(|text| Expr::Literal(text.into()));
        prop_oneof![4 => known, 1 => self.of(Kind::Text)].boxed()
    }

    fn case(&self, kind: Kind) -> BoxedStrategy<Expr> {
        let otherwise = || option::of(self.of(kind).prop_map(Box::new));
        let values = (self.of(Kind::Any), vec((self.of(Kind::Any), self.of(kind)), 1..3), otherwise());
        let searched = (vec((self.of(Kind::Bool).prop_map(condition), self.of(kind)), 1..3), otherwise());
        prop_oneof![
            values.prop_map(|(one, branches, otherwise)| Expr::Case(Some(one.into()), branches, otherwise)),
            searched.prop_map(|(branches, otherwise)| Expr::Case(None, branches, otherwise)),
        ]
        .boxed()
    }

    /// Calls of functions that give this kind.
    fn calls(&self, kind: Kind) -> BoxedStrategy<Expr> {
        let calls = FUNCTIONS.iter().filter(|function| function.3 == kind).map(|(name, least, kinds, _)| {
            let all: Vec<_> = kinds.iter().map(|kind| self.of(*kind)).collect();
            let counted = (all, *least..=kinds.len());
            counted.prop_map(|(all, count)| Expr::Call(name, all[..count].to_vec())).boxed()
        });
        proptest::strategy::Union::new(calls).boxed()
    }

    /// Anything in anything.
    fn mixed(&self) -> BoxedStrategy<Expr> {
        let one = || self.of(Kind::Any);
        // A key without a value is left out of an object, which is not for here: so there is null at least.
        let entry = one().prop_map(|value| Expr::Call("coalesce", vec![value]));
        let entries = btree_map(select(KEYS), entry, 0..3);
        prop_oneof![
            1 => self.calls(Kind::Any),
            1 => self.binary(Kind::Any, &["+", "-", "*", "/", "div", "%", "||"]),
            1 => (one(), select(KEYS)).prop_map(|(inner, key)| Expr::Member(inner.into(), key)),
            1 => (Just(Expr::Field("o")), select(KEYS)).prop_map(|(inner, key)| Expr::Member(inner.into(), key)),
            1 => self.pair(Kind::Any).prop_map(|(inner, index)| Expr::Index(inner.into(), index.into())),
            1 => entries.prop_map(|entries| Expr::Object(entries.into_iter().collect())),
            1 => (one(), vec(one(), 1..4), any::<bool>())
                .prop_map(|(inner, all, not)| Expr::In(inner.into(), all, not)),
        ]
        .boxed()
    }
}

/// Whatever can stand where a condition is expected.
fn condition(expr: Expr) -> Expr {
    match expr.is_no_condition() {
        true => Expr::Binary(expr.into(), ">", Expr::Literal(json!(1)).into()),
        false => expr,
    }
}

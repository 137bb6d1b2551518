//! What an aggregate gathers. Two of them can be put together, so a window is made of pieces.

use std::cmp::Ordering;
use std::collections::{HashSet, VecDeque};

use crate::functions::Wrong;
use crate::program::AggregateKind;
use crate::state::remembered;
use crate::value::Value;

/// Values that `collect` keeps.
const COLLECTED: usize = 1000;
/// Values that `count(DISTINCT …)` tells apart.
const DISTINCT: usize = 10_000;

/// What was gathered.
#[derive(Debug, Clone)]
pub(crate) enum Gathered {
    Count(u64),
    Distinct(HashSet<u64>),
    Sum {
        whole: Option<i64>,
        sum: f64,
        count: u64,
    },
    /// Count, mean, and the sum of squares of the differences from it.
    Moments {
        count: f64,
        mean: f64,
        squares: f64,
    },
    Least(Option<Value<'static>>),
    Greatest(Option<Value<'static>>),
    Both(Option<(f64, f64)>),
    First(Option<Value<'static>>),
    Last(Option<Value<'static>>),
    Collected(VecDeque<Value<'static>>),
}

impl AggregateKind {
    /// Nothing so far.
    pub(crate) fn nothing(self) -> Gathered {
        match self {
            Self::Count => Gathered::Count(0),
            Self::CountDistinct => Gathered::Distinct(HashSet::new()),
            Self::Sum => Gathered::Sum { whole: Some(0), sum: 0.0, count: 0 },
            Self::Average | Self::Deviation | Self::DeviationOfAll | Self::Variance => {
                Gathered::Moments { count: 0.0, mean: 0.0, squares: 0.0 }
            }
            Self::Min => Gathered::Least(None),
            Self::Max => Gathered::Greatest(None),
            Self::Spread => Gathered::Both(None),
            Self::First => Gathered::First(None),
            Self::Last => Gathered::Last(None),
            Self::Collect => Gathered::Collected(VecDeque::new()),
        }
    }

    /// What of one value is gathered. What is not there adds nothing.
    pub(crate) fn of(self, value: Value<'_>) -> Result<Gathered, Wrong> {
        if value.is_null() {
            return Ok(self.nothing());
        }
        let number = || {
            let number = value.as_number().filter(|_| !matches!(value, Value::Bool(_)));
            number.ok_or_else(|| Wrong(format!("{} cannot be added up", value.kind())))
        };
        Ok(match self {
            Self::Count => Gathered::Count(1),
            Self::CountDistinct => Gathered::Distinct(HashSet::from([hash(&value)])),
            Self::Sum => {
                let sum = number()?;
                // What is whole is added up exactly, also where a float would not be.
                let whole = match (&value, Value::number(sum)) {
                    (Value::Int(whole), _) => Some(*whole),
                    (_, Value::Int(whole)) => Some(whole),
                    _ => None,
                };
                Gathered::Sum { whole, sum, count: 1 }
            }
            Self::Average | Self::Deviation | Self::DeviationOfAll | Self::Variance => {
                Gathered::Moments { count: 1.0, mean: number()?, squares: 0.0 }
            }
            Self::Spread => {
                let number = number()?;
                Gathered::Both(Some((number, number)))
            }
            // Texts that say numbers are compared as numbers.
            Self::Min => Gathered::Least(Some(numeric(value))),
            Self::Max => Gathered::Greatest(Some(numeric(value))),
            Self::First => Gathered::First(Some(remembered(value))),
            Self::Last => Gathered::Last(Some(remembered(value))),
            Self::Collect => Gathered::Collected(VecDeque::from([remembered(value)])),
        })
    }

    /// What it gives.
    pub(crate) fn result(self, gathered: &Gathered) -> Value<'static> {
        let count = |count: usize| Value::Int(i64::try_from(count).unwrap_or(i64::MAX));
        let number = |number: f64| if number.is_finite() { Value::number(number) } else { Value::Null };
        match gathered {
            Gathered::Count(all) => count(*all as usize),
            Gathered::Distinct(all) => count(all.len()),
            Gathered::Sum { count: 0, .. } => Value::Null,
            Gathered::Sum { whole: Some(whole), .. } => Value::Int(*whole),
            Gathered::Sum { sum, .. } => number(*sum),
            Gathered::Moments { count, mean, squares } => match self {
                _ if *count == 0.0 => Value::Null,
                Self::Average => number(*mean),
                Self::DeviationOfAll => number((squares / count).sqrt()),
                _ if *count < 2.0 => Value::Null,
                Self::Deviation => number((squares / (count - 1.0)).sqrt()),
                _ => number(squares / (count - 1.0)),
            },
            Gathered::Both(both) => both.map_or(Value::Null, |(least, greatest)| number(greatest - least)),
            Gathered::Least(value)
            | Gathered::Greatest(value)
            | Gathered::First(value)
            | Gathered::Last(value) => value.clone().unwrap_or(Value::Null),
            Gathered::Collected(all) => Value::Array(all.iter().cloned().collect()),
        }
    }
}

impl Gathered {
    /// Roughly the memory it takes, in bytes.
    pub(crate) fn weight(&self) -> usize {
        let of = |value: &Option<Value<'static>>| value.as_ref().map_or(0, Value::weight);
        let beside = match self {
            Self::Distinct(all) => 16 * all.len(),
            Self::Least(value) | Self::Greatest(value) | Self::First(value) | Self::Last(value) => of(value),
            Self::Collected(all) => all.iter().map(|value| size_of::<Value<'_>>() + value.weight()).sum(),
            _ => 0,
        };
        size_of::<Self>() + beside
    }

    /// Adds what was gathered later.
    pub(crate) fn add(&mut self, later: &Self) {
        match (self, later) {
            (Self::Count(all), Self::Count(more)) => *all += more,
            (Self::Distinct(all), Self::Distinct(more)) => {
                let room = DISTINCT.saturating_sub(all.len());
                all.extend(more.iter().take(room));
            }
            (Self::Sum { whole, sum, count }, Self::Sum { whole: more, sum: further, count: others }) => {
                *whole = whole.zip(*more).and_then(|(one, other)| one.checked_add(other));
                *sum += further;
                *count += others;
            }
            (
                Self::Moments { count, mean, squares },
                Self::Moments { count: more, mean: other, squares: further },
            ) if *more > 0.0 => {
                let all = *count + more;
                let away = other - *mean;
                *squares += further + away * away * *count * more / all;
                *mean += away * more / all;
                *count = all;
            }
            (Self::Least(least), Self::Least(Some(other))) => replace_if(least, other, Ordering::is_lt),
            (Self::Greatest(greatest), Self::Greatest(Some(other))) => {
                replace_if(greatest, other, Ordering::is_gt)
            }
            (Self::Both(both), Self::Both(Some((low, high)))) => {
                let (least, greatest) = both.unwrap_or((*low, *high));
                *both = Some((least.min(*low), greatest.max(*high)));
            }
            (Self::First(first @ None), Self::First(other)) => first.clone_from(other),
            (Self::Last(last), Self::Last(other @ Some(_))) => last.clone_from(other),
            (Self::Collected(all), Self::Collected(more)) => {
                all.extend(more.iter().cloned());
                all.drain(..all.len().saturating_sub(COLLECTED));
            }
            _ => {}
        }
    }
}

fn replace_if(value: &mut Option<Value<'static>>, other: &Value<'static>, better: impl Fn(Ordering) -> bool) {
    let replaces = value.as_ref().is_none_or(|value| other.order(value).is_some_and(better));
    if replaces {
        *value = Some(other.clone());
    }
}

fn numeric(value: Value<'_>) -> Value<'static> {
    match &value {
        Value::Text(_) => value.as_number().map_or_else(|| remembered(value), Value::number),
        _ => remembered(value),
    }
}

fn hash(value: &Value<'_>) -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    use std::sync::OnceLock;
    static STATE: OnceLock<RandomState> = OnceLock::new();
    STATE.get_or_init(RandomState::new).hash_one(value.canonical())
}

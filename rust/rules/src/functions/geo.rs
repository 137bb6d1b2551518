//! Places on Earth: latitudes and longitudes in degrees, lengths in metres.

use super::results::{finite, wrong};
use super::{Arguments, Function, Outcome, Surroundings, Wrong};
use crate::value::{Object, Value};

const GROUP: &str = "Places on Earth";

/// The mean radius of the Earth, in metres.
const RADIUS: f64 = 6_371_008.8;

/// The letters of a geohash.
const LETTERS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        aliases: &["haversine"],
        usage: "distance(lat, lon, lat, lon)",
        what: "The distance between two places, in metres, on a sphere.",
        examples: &[
            ("round(distance(35.6812, 139.7671, 34.7025, 135.4959) / 1000)", "403"),
            ("distance(10, 20, 10, 20)", "0"),
        ],
        least: 4,
        most: 4,
        ..Function::new("distance", GROUP, |_, args| finite(metres(place(args, 0)?, place(args, 2)?)))
    },
    Function {
        usage: "bearing(lat, lon, lat, lon)",
        what: "The direction in which the second place is from the first: 0 is north, 90 east.",
        examples: &[("bearing(0, 0, 0, 10)", "90"), ("bearing(10, 0, 0, 0)", "180")],
        least: 4,
        most: 4,
        ..Function::new("bearing", GROUP, bearing)
    },
    Function {
        usage: "destination(lat, lon, bearing, metres)",
        what: "The place `[lat, lon]` that is so far away in a direction.",
        examples: &[
            ("round(nth(1, destination(0, 0, 0, 111195)), 3)", "1"),
            ("round(nth(2, destination(0, 0, 90, 111195)), 3)", "1"),
        ],
        least: 4,
        most: 4,
        ..Function::new("destination", GROUP, destination)
    },
    Function {
        usage: "in_circle(lat, lon, center_lat, center_lon, radius)",
        what: "Whether a place is no farther from another than so many metres.",
        examples: &[("in_circle(0, 0.5, 0, 0, 60000)", "true"), ("in_circle(0, 1, 0, 0, 60000)", "false")],
        least: 5,
        most: 5,
        ..Function::new("in_circle", GROUP, |_, args| {
            Ok(Value::Bool(metres(place(args, 0)?, place(args, 2)?) <= args.number(4)?))
        })
    },
    Function {
        aliases: &["bounding_box"],
        usage: "in_box(lat, lon, south, west, north, east)",
        what: "Whether a place is between two latitudes and two longitudes; a box may reach over the date line.",
        examples: &[
            ("in_box(35, 139, 30, 130, 45, 145)", "true"),
            ("in_box(0, 179, -5, 170, 5, -170)", "true"),
        ],
        least: 6,
        most: 6,
        ..Function::new("in_box", GROUP, in_box)
    },
    Function {
        usage: "in_polygon(lat, lon, corners)",
        what: "Whether a place is within the polygon with these corners `[lat, lon]`, at least three.",
        examples: &[
            ("in_polygon(1, 1, [[0, 0], [0, 3], [3, 3], [3, 0]])", "true"),
            ("in_polygon(4, 1, [[0, 0], [0, 3], [3, 3], [3, 0]])", "false"),
        ],
        least: 3,
        most: 3,
        ..Function::new("in_polygon", GROUP, in_polygon)
    },
    Function {
        aliases: &["geohash"],
        usage: "geohash_encode(lat, lon, letters = 9)",
        what: "The geohash of a place, with 1 to 12 letters.",
        examples: &[
            ("geohash_encode(57.64911, 10.40744, 11)", "\"u4pruydqqvj\""),
            ("geohash_encode(0, 0, 1)", "\"s\""),
        ],
        least: 2,
        most: 3,
        ..Function::new("geohash_encode", GROUP, geohash_encode)
    },
    Function {
        usage: "geohash_decode(text)",
        what: "The place in the middle of a geohash, as an object with `lat` and `lon`.",
        examples: &[
            ("round(map_get('lat', geohash_decode('u4pruydqqvj')), 4)", "57.6491"),
            ("geohash_decode('s')", "{\"lat\": 22.5, \"lon\": 22.5}"),
        ],
        ..Function::new("geohash_decode", GROUP, geohash_decode)
    },
];

/// A latitude and a longitude, if they are one.
fn place(args: &[Value<'_>], index: usize) -> Result<(f64, f64), Wrong> {
    let (lat, lon) = (args.number(index)?, args.number(index + 1)?);
    match lat.abs() <= 90.0 && lon.abs() <= 360.0 {
        true => Ok((lat, lon)),
        false => wrong(format!(
            "({lat}, {lon}) is no place: a latitude is from -90 to 90, a longitude from -180 to 180"
        )),
    }
}

fn metres(from: (f64, f64), to: (f64, f64)) -> f64 {
    let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
    let (north, east) = (half(from.0, to.0), half(from.1, to.1));
    let root = north + from.0.to_radians().cos() * to.0.to_radians().cos() * east;
    2.0 * RADIUS * root.clamp(0.0, 1.0).sqrt().asin()
}

fn bearing<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (from, to) = (place(args, 0)?, place(args, 2)?);
    let (from_lat, to_lat, turn) = (from.0.to_radians(), to.0.to_radians(), (to.1 - from.1).to_radians());
    let east = turn.sin() * to_lat.cos();
    let north = from_lat.cos() * to_lat.sin() - from_lat.sin() * to_lat.cos() * turn.cos();
    finite(east.atan2(north).to_degrees().rem_euclid(360.0))
}

fn destination<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (lat, lon) = place(args, 0)?;
    let (lat, turn, angle) = (lat.to_radians(), args.number(2)?.to_radians(), args.number(3)? / RADIUS);
    let sine = lat.sin() * angle.cos() + lat.cos() * angle.sin() * turn.cos();
    let east = turn.sin() * angle.sin() * lat.cos();
    let lon = lon + east.atan2(angle.cos() - lat.sin() * sine).to_degrees();
    let lon = (lon + 180.0).rem_euclid(360.0) - 180.0;
    Ok(Value::Array(vec![finite(sine.clamp(-1.0, 1.0).asin().to_degrees())?, finite(lon)?]))
}

fn in_box<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let ((lat, lon), (south, west), (north, east)) = (place(args, 0)?, place(args, 2)?, place(args, 4)?);
    let between = match west <= east {
        true => (west..=east).contains(&lon),
        false => lon >= west || lon <= east,
    };
    Ok(Value::Bool((south..=north).contains(&lat) && between))
}

fn in_polygon<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (lat, lon) = place(args, 0)?;
    let mut corners = Vec::new();
    for mut corner in args.array(2)? {
        corners.push(place(&std::slice::from_mut(&mut corner).array(0)?, 0)?);
    }
    let Some(mut before) = corners.last().copied().filter(|_| corners.len() > 2) else {
        return wrong(format!("a polygon has three corners at least, not {}", corners.len()));
    };
    // A line from within to the far east crosses the edges an odd number of times.
    let mut inside = false;
    for corner in corners {
        let crosses = (corner.0 > lat) != (before.0 > lat);
        if crosses && lon < (before.1 - corner.1) * (lat - corner.0) / (before.0 - corner.0) + corner.1 {
            inside = !inside;
        }
        before = corner;
    }
    Ok(Value::Bool(inside))
}

fn geohash_encode<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (lat, lon) = place(args, 0)?;
    let count = args.int_or(2, 9)?;
    if !(1..=12).contains(&count) {
        return wrong(format!("a geohash has 1 to 12 letters, not {count}"));
    }
    let mut ranges = [(-180.0, 180.0), (-90.0, 90.0)];
    let values = [(lon + 180.0).rem_euclid(360.0) - 180.0, lat];
    let mut hash = String::new();
    for letter in 0..count as usize {
        let mut five = 0;
        for bit in 0..5 {
            let axis = (letter * 5 + bit) % 2;
            let (low, high) = ranges[axis];
            let middle = (low + high) / 2.0;
            let upper = values[axis] >= middle;
            ranges[axis] = if upper { (middle, high) } else { (low, middle) };
            five = five << 1 | usize::from(upper);
        }
        hash.push(char::from(LETTERS[five]));
    }
    Ok(Value::text(hash))
}

fn geohash_decode<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let text = args.text(0)?;
    if text.is_empty() || text.len() > 12 {
        return wrong(format!("a geohash has 1 to 12 letters, not {}", text.len()));
    }
    let mut ranges = [(-180.0, 180.0), (-90.0, 90.0)];
    let mut axis = 0;
    for letter in text.bytes() {
        let Some(five) = LETTERS.iter().position(|known| *known == letter.to_ascii_lowercase()) else {
            return wrong("a geohash has digits and the letters from b to z without i, l and o");
        };
        for bit in (0..5).rev() {
            let (low, high) = ranges[axis];
            let middle: f64 = (low + high) / 2.0;
            ranges[axis] = if five >> bit & 1 == 1 { (middle, high) } else { (low, middle) };
            axis = 1 - axis;
        }
    }
    let middle = |(low, high): (f64, f64)| finite((low + high) / 2.0);
    let entries = vec![("lat".into(), middle(ranges[1])?), ("lon".into(), middle(ranges[0])?)];
    Ok(Value::Object(Object(entries)))
}

//! Angles: everything is in radians.

use super::Arguments;
use super::Function;
use super::results::finite;

const GROUP: &str = "Angles";

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        usage: "pi()",
        what: "The number π.",
        examples: &[("round(pi(), 5)", "3.14159"), ("degrees(pi())", "180")],
        least: 0,
        most: 0,
        ..Function::new("pi", GROUP, |_, _| finite(std::f64::consts::PI))
    },
    Function {
        usage: "radians(degrees)",
        what: "An angle in radians that is given in degrees.",
        examples: &[("round(radians(180), 5)", "3.14159"), ("radians(0)", "0")],
        ..Function::new("radians", GROUP, |_, args| finite(args.number(0)?.to_radians()))
    },
    Function {
        usage: "degrees(radians)",
        what: "An angle in degrees that is given in radians.",
        examples: &[("degrees(pi())", "180"), ("degrees(0)", "0")],
        ..Function::new("degrees", GROUP, |_, args| finite(args.number(0)?.to_degrees()))
    },
    Function {
        usage: "sin(x)",
        what: "The sine.",
        examples: &[("sin(0)", "0"), ("round(sin(radians(30)), 6)", "0.5")],
        ..Function::new("sin", GROUP, |_, args| finite(args.number(0)?.sin()))
    },
    Function {
        usage: "cos(x)",
        what: "The cosine.",
        examples: &[("cos(0)", "1"), ("round(cos(1.5), 6)", "0.070737")],
        ..Function::new("cos", GROUP, |_, args| finite(args.number(0)?.cos()))
    },
    Function {
        usage: "tan(x)",
        what: "The tangent.",
        examples: &[("tan(0)", "0"), ("round(tan(1.4), 6)", "5.797884")],
        ..Function::new("tan", GROUP, |_, args| finite(args.number(0)?.tan()))
    },
    Function {
        usage: "asin(x)",
        what: "The angle with this sine, for x from -1 to 1.",
        examples: &[("asin(0)", "0"), ("round(asin(0.5), 6)", "0.523599")],
        ..Function::new("asin", GROUP, |_, args| finite(args.number(0)?.asin()))
    },
    Function {
        usage: "acos(x)",
        what: "The angle with this cosine, for x from -1 to 1.",
        examples: &[("acos(1)", "0"), ("round(acos(0.5), 6)", "1.047198")],
        ..Function::new("acos", GROUP, |_, args| finite(args.number(0)?.acos()))
    },
    Function {
        usage: "atan(x)",
        what: "The angle with this tangent.",
        examples: &[("atan(0)", "0"), ("round(degrees(atan(1)), 6)", "45")],
        ..Function::new("atan", GROUP, |_, args| finite(args.number(0)?.atan()))
    },
    Function {
        usage: "atan2(y, x)",
        what: "The angle of the vector (x, y), in all four quadrants.",
        examples: &[("atan2(0, 1)", "0"), ("round(degrees(atan2(1, -1)), 6)", "135")],
        least: 2,
        most: 2,
        ..Function::new("atan2", GROUP, |_, args| finite(args.number(0)?.atan2(args.number(1)?)))
    },
    Function {
        usage: "sinh(x)",
        what: "The hyperbolic sine.",
        examples: &[("sinh(0)", "0"), ("round(sinh(0.5), 6)", "0.521095")],
        ..Function::new("sinh", GROUP, |_, args| finite(args.number(0)?.sinh()))
    },
    Function {
        usage: "cosh(x)",
        what: "The hyperbolic cosine.",
        examples: &[("cosh(0)", "1"), ("round(cosh(1.5), 6)", "2.35241")],
        ..Function::new("cosh", GROUP, |_, args| finite(args.number(0)?.cosh()))
    },
    Function {
        usage: "tanh(x)",
        what: "The hyperbolic tangent.",
        examples: &[("tanh(0)", "0"), ("round(tanh(1.4), 6)", "0.885352")],
        ..Function::new("tanh", GROUP, |_, args| finite(args.number(0)?.tanh()))
    },
    Function {
        usage: "asinh(x)",
        what: "The number with this hyperbolic sine.",
        examples: &[("asinh(0)", "0"), ("round(asinh(0.5210953), 5)", "0.5")],
        ..Function::new("asinh", GROUP, |_, args| finite(args.number(0)?.asinh()))
    },
    Function {
        usage: "acosh(x)",
        what: "The number with this hyperbolic cosine, for x from 1.",
        examples: &[("acosh(1)", "0"), ("round(acosh(1.5), 6)", "0.962424")],
        ..Function::new("acosh", GROUP, |_, args| finite(args.number(0)?.acosh()))
    },
    Function {
        usage: "atanh(x)",
        what: "The number with this hyperbolic tangent, for x between -1 and 1.",
        examples: &[("atanh(0)", "0"), ("round(atanh(0.5), 6)", "0.549306")],
        ..Function::new("atanh", GROUP, |_, args| finite(args.number(0)?.atanh()))
    },
];

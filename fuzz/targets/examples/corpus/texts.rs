//! Seeds that are text.

use crate::Seeds;

/// A list as seeds.
pub(crate) fn seeds(list: &[(&str, &str)]) -> Seeds {
    list.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
}

/// Operations on topics, one a line; `src/topic.rs` says which.
pub(crate) const TOPIC: &[(&str, &str)] = &[
    ("plain", "Sa/b\nSa\nPa/b\nPa\nPa/b/c"),
    ("plus", "S+\nSa/+\nS+/b\nS+/+\nPa/b\nPa\nP/\nPa/b/c"),
    ("hash", "S#\nSa/#\nSa/b/#\nPa\nPa/b\nPa/b/c\nPb"),
    ("hash-behind-plus", "S+/#\nSa/+/#\nPa\nPa/b\nPa/b/c\nP/"),
    ("empty-levels", "S/\nS//\nS+/+/+\nSa//b\nS/#\nP/\nP//\nPa//b\nPa/"),
    ("dollar", "S#\nS+/x\nS$d/#\nS$d/+\nS$d\nP$d/x\nP$d\nPx/$d\nSx/+"),
    ("shared", "S$share/g/a/#\nS$share/h/a/b\nSa/b\nPa/b\nU$share/g/a/#\nPa/b"),
    ("shared-wrong", "S$share\nS$share/\nS$share/g\nS$share//a\nS$share/g/\nS$share/+/a\nS$share/g/a#"),
    ("wrong-filters", "Sa#\nS#/a\nSa+\nS+a\nSa/#/b\nS##\nS++\nS"),
    ("wrong-names", "Pa/+\nP#\nP\nPa\0b\nP+"),
    ("removed", "Sa/b\nSa/b\nSa/+\nUa/b\nPa/b\nUa/b\nPa/b\nUa/b\nUa/+\nPa/b"),
    ("removed-in-between", "Sa/b/c\nSa\nS+/b\nUa/b/c\nPa/b/c\nPa\nUa\nPa/b\nUx\nU#"),
    ("retained", "Ra/b\nRa\nRa/b/c\nQa/b\nQa/+\nQa/#\nQ#\nQ+\nQ+/+"),
    ("retained-cleared", "Ra/b\nRa/b/c\nCa/b\nQ#\nCa/b/c\nQ#\nCa\nQa/#"),
    ("retained-dollar", "R$d/x\nRd/x\nQ#\nQ+/x\nQ$d/#\nQ$d/+"),
    ("retained-empty-levels", "R/\nR//\nRa/\nQ/\nQ+/+\nQ/#\nQ#\nQa/#"),
    ("retained-and-live", "S#\nRa\nPa\nCa\nQa"),
    ("unicode", "Sä/+/🦀\nPä/ö/🦀\nRä/ö\nQ+/ö\nP\u{feff}\nS\u{feff}/#\nP\u{feff}/x"),
    ("space", "S \nS /+\nP \nP / \nPa b\nSa b"),
    ("deep", "S+/+/+/+/+/+/+/+/+/+/+/+/#\nPa/b/c/d/e/f/g/h/i/j/k/l\nPa/b/c/d/e/f/g/h/i/j/k/l/m/n"),
];

/// Who asks for what, and rules; `src/acl.rs` says how.
pub(crate) const ACL: &[(&str, &str)] = &[
    ("first-rule", "publish\ntank\nt7\n\na/b\ndeny all a/secret/#\nallow all a/#"),
    ("first-rule-denies", "receive\ntank\nt7\n\na/secret/x\ndeny all a/secret/#\nallow all a/#"),
    ("covered", "subscribe\ntank\nt7\n\na/+/c\nallow subscribe a/#"),
    ("not-covered", "subscribe\ntank\nt7\n\na/#\nallow subscribe a/+"),
    ("plus-covers-plus", "subscribe\n\nt7\n\n+/b\nallow subscribe-only +/b"),
    ("dollar", "receive\n\nt7\n\n$SYS/broker/uptime\nallow all #\nallow receive $SYS/#"),
    ("dollar-denied", "receive\n\nt7\n\n$SYS/broker/uptime\ndeny all #\nallow receive $SYS/#"),
    ("client-id", "publish\ntank\nt7\n\ntank/t7/level\nallow publish tank/%c/level"),
    ("client-id-plus", "publish\ntank\n+\n\ntank/x/level\nallow publish tank/%c/level"),
    ("client-id-hash", "subscribe\ntank\n#\n\ntank/#\nallow subscribe tank/%c"),
    ("client-id-slash", "publish\ntank\na/b\n\ntank/a/b\nallow all tank/%c\nallow all tank/%c/#"),
    ("client-id-empty", "publish\ntank\n\n\ntank/\nallow all tank/%c"),
    ("client-id-denies", "publish\ntank\na/+\n\ntank/x/y\ndeny all tank/%c/#\nallow all #"),
    ("client-id-dollar", "publish\n\n$SYS\n\n$SYS/x\nallow all %c/#"),
    ("user-name", "receive\ntank\nt7\n\ndev-t7-tank/x\nallow all dev-%c-%u/#"),
    ("user-name-missing", "receive\n\nt7\n\ndev-t7-/x\nallow all dev-%c-%u/#"),
    ("user-name-is-a-template", "publish\n%c\nt7\n\na/%c\nallow all a/%u"),
    ("percent", "publish\nu\nc\n\n%/%%c/%d\nallow all %/%%c/%d"),
    ("user", "publish\ntank\nt7\n\na\nallow user tank publish a"),
    ("user-any", "publish\ntank\nt7\n\na\nallow user * publish a"),
    ("user-quoted", "publish\na \"b\\\nt7\n\na\nallow user \"a \\\"b\\\"\\\\\" publish a"),
    ("anonymous", "publish\n\nt7\n\na\nallow anonymous publish a"),
    ("client", "publish\n\nsensor 7\n\na\nallow client \"sensor 7\" publish a"),
    ("address", "publish\n\nt7\n10.1.2.3\na\nallow address 10.0.0.0/8 publish a"),
    ("address-6", "publish\n\nt7\nfe80::1\na\ndeny address fe80::/10 publish a\nallow any publish a"),
    ("address-mapped", "publish\n\nt7\n::ffff:127.0.0.1\na\nallow address 127.0.0.1 publish a"),
    ("conditions", "publish\ntank\nt7\n10.0.0.1\na\nallow user tank client t7 address 10.0.0.1 all #"),
    ("several-actions", "receive\n\nt7\n\na\nallow publish,receive a\ndeny all #"),
    ("comments", "publish\n\nt7\n\na\n# who\n\n   # may\n  allow   publish   a  \r\n"),
    ("spaces", "publish\n\nt7\n\na b/ c\nallow publish a b/ c"),
    ("no-action", "publish\n\nt7\n\na\nallow"),
    ("no-filter", "publish\n\nt7\n\na\nallow publish"),
    ("wrong-verb", "publish\n\nt7\n\na\npermit publish a"),
    ("wrong-action", "publish\n\nt7\n\na\nallow read a"),
    ("wrong-filter", "publish\n\nt7\n\na\nallow publish a/#/b"),
    ("wrong-quotes", "publish\n\nt7\n\na\nallow user \"a publish a"),
    ("wrong-escape", "publish\n\nt7\n\na\nallow user \"a\\n\" publish a"),
    ("wrong-network", "publish\n\nt7\n\na\nallow address 10.0.0.0/33 publish a"),
    ("shared-filter", "subscribe\n\nt7\n\na\nallow subscribe $share/g/a"),
];

/// A name and a users file; `src/users.rs` says how.
pub(crate) const USERS: &[(&str, &str)] = &[
    ("empty", "tank\n"),
    (
        "sha512",
        "pump\ntank:$6$8IhowEGWZVyEmzkO$jcDVpjUKBBjK2onMsmiwPC5SxcCQOcJWodSjG9o+ZmmFxDPKgo+KPj+bhwCvcTaTzMUl6fh2Qe+pUovt0nKR8Q==\n",
    ),
    (
        "pbkdf2",
        "tank\ntank:$7$101$G9uGqmYiEC45JFvT$LT+hSEF7QbAq491hDRHsIbZGSVH8jM2aParahcn+4Euh+EKZc1LGV16Dfd+oX/3wKpIoVvTKf68wO7eElTdi/g==\n",
    ),
    (
        "argon2id",
        "tank\ntank:$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
    ),
    (
        "scram",
        "tank\ntank:$6$8IhowEGWZVyEmzkO$jcDVpjUKBBjK2onMsmiwPC5SxcCQOcJWodSjG9o+ZmmFxDPKgo+KPj+bhwCvcTaTzMUl6fh2Qe+pUovt0nKR8Q==:SCRAM-SHA-256$4096$W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=$wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\npump:$7$101$G9uGqmYiEC45JFvT$LT+hSEF7QbAq491hDRHsIbZGSVH8jM2aParahcn+4Euh+EKZc1LGV16Dfd+oX/3wKpIoVvTKf68wO7eElTdi/g==\n",
    ),
    (
        "comments",
        "pump\n# who\n\n  # $6$8IhowEGWZVyEmzkO$jcDVpjUKBBjK2onMsmiwPC5SxcCQOcJWodSjG9o+ZmmFxDPKgo+KPj+bhwCvcTaTzMUl6fh2Qe+pUovt0nKR8Q==\ntank:$6$8IhowEGWZVyEmzkO$jcDVpjUKBBjK2onMsmiwPC5SxcCQOcJWodSjG9o+ZmmFxDPKgo+KPj+bhwCvcTaTzMUl6fh2Qe+pUovt0nKR8Q==\n",
    ),
    (
        "line-ends",
        "pump\n\u{feff}tank:$6$8IhowEGWZVyEmzkO$jcDVpjUKBBjK2onMsmiwPC5SxcCQOcJWodSjG9o+ZmmFxDPKgo+KPj+bhwCvcTaTzMUl6fh2Qe+pUovt0nKR8Q==\r\nlevel:$7$101$G9uGqmYiEC45JFvT$LT+hSEF7QbAq491hDRHsIbZGSVH8jM2aParahcn+4Euh+EKZc1LGV16Dfd+oX/3wKpIoVvTKf68wO7eElTdi/g==\r\n",
    ),
    (
        "blanks",
        "a b\n tank\t: $6$8IhowEGWZVyEmzkO$jcDVpjUKBBjK2onMsmiwPC5SxcCQOcJWodSjG9o+ZmmFxDPKgo+KPj+bhwCvcTaTzMUl6fh2Qe+pUovt0nKR8Q== : SCRAM-SHA-256$4096$W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=$wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU= \n a b :$6$8IhowEGWZVyEmzkO$jcDVpjUKBBjK2onMsmiwPC5SxcCQOcJWodSjG9o+ZmmFxDPKgo+KPj+bhwCvcTaTzMUl6fh2Qe+pUovt0nKR8Q==",
    ),
    (
        "twice",
        "tank\ntank:$6$8IhowEGWZVyEmzkO$jcDVpjUKBBjK2onMsmiwPC5SxcCQOcJWodSjG9o+ZmmFxDPKgo+KPj+bhwCvcTaTzMUl6fh2Qe+pUovt0nKR8Q==\npump:$6$8IhowEGWZVyEmzkO$jcDVpjUKBBjK2onMsmiwPC5SxcCQOcJWodSjG9o+ZmmFxDPKgo+KPj+bhwCvcTaTzMUl6fh2Qe+pUovt0nKR8Q==\ntank:$7$101$G9uGqmYiEC45JFvT$LT+hSEF7QbAq491hDRHsIbZGSVH8jM2aParahcn+4Euh+EKZc1LGV16Dfd+oX/3wKpIoVvTKf68wO7eElTdi/g==",
    ),
    ("no-hash", "tank\ntank"),
    (
        "no-name",
        "tank\n:$6$8IhowEGWZVyEmzkO$jcDVpjUKBBjK2onMsmiwPC5SxcCQOcJWodSjG9o+ZmmFxDPKgo+KPj+bhwCvcTaTzMUl6fh2Qe+pUovt0nKR8Q==",
    ),
    ("wrong-hash", "tank\ntank:$6$x$y"),
    (
        "wrong-iterations",
        "tank\ntank:$7$0101$G9uGqmYiEC45JFvT$LT+hSEF7QbAq491hDRHsIbZGSVH8jM2aParahcn+4Euh+EKZc1LGV16Dfd+oX/3wKpIoVvTKf68wO7eElTdi/g==",
    ),
    (
        "too-costly",
        "tank\ntank:$argon2id$v=19$m=99999999,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
    ),
    (
        "wrong-scram",
        "tank\ntank:$6$8IhowEGWZVyEmzkO$jcDVpjUKBBjK2onMsmiwPC5SxcCQOcJWodSjG9o+ZmmFxDPKgo+KPj+bhwCvcTaTzMUl6fh2Qe+pUovt0nKR8Q==:SCRAM-SHA-256$1$x$y$z",
    ),
    (
        "unicode",
        "größe 🦀\ngröße 🦀:$6$8IhowEGWZVyEmzkO$jcDVpjUKBBjK2onMsmiwPC5SxcCQOcJWodSjG9o+ZmmFxDPKgo+KPj+bhwCvcTaTzMUl6fh2Qe+pUovt0nKR8Q==",
    ),
    (
        "name-like-a-comment",
        "#tank\n#tank:$6$8IhowEGWZVyEmzkO$jcDVpjUKBBjK2onMsmiwPC5SxcCQOcJWodSjG9o+ZmmFxDPKgo+KPj+bhwCvcTaTzMUl6fh2Qe+pUovt0nKR8Q==",
    ),
    (
        "null",
        "ta\0nk\nta\0nk:$6$8IhowEGWZVyEmzkO$jcDVpjUKBBjK2onMsmiwPC5SxcCQOcJWodSjG9o+ZmmFxDPKgo+KPj+bhwCvcTaTzMUl6fh2Qe+pUovt0nKR8Q==",
    ),
];

/// How the client is, and its two messages; `src/scram.rs` says how.
pub(crate) const SCRAM: &[(&str, &str)] = &[
    (
        "rfc-7677",
        "literal\nn,,n=user,r=rOprNGfwEbeRWgbNEkqO\nc=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    ),
    (
        "wrong-proof",
        "literal\nn,,n=user,r=rOprNGfwEbeRWgbNEkqO\nc=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHybZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    ),
    (
        "no-proof",
        "literal\nn,,n=user,r=rOprNGfwEbeRWgbNEkqO\nc=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,",
    ),
    (
        "wrong-nonce",
        "literal\nn,,n=user,r=rOprNGfwEbeRWgbNEkqO\nc=biws,r=rOpqNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    ),
    (
        "nonce-of-the-client-alone",
        "literal\nn,,n=user,r=rOprNGfwEbeRWgbNEkqO\nc=biws,r=rOprNGfwEbeRWgbNEkqO,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    ),
    (
        "wrong-binding",
        "literal\nn,,n=user,r=rOprNGfwEbeRWgbNEkqO\nc=eSws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    ),
    ("honest", "honest\nn,,n=user,r=rOprNGfwEbeRWgbNEkqO\n"),
    ("honest-extensions", "honest\nn,,n=user,r=rOprNGfwEbeRWgbNEkqO,a=b\n,x=y,z=1=2"),
    ("honest-mandatory-extension", "honest\nn,,n=user,r=rOprNGfwEbeRWgbNEkqO\n,m=x"),
    ("honest-y", "honest\ny,,n=user,r=x\n"),
    ("honest-for-itself", "honest\nn,a=user,n=user,r=x\n"),
    ("honest-for-another", "honest\nn,a=other,n=user,r=x\n"),
    ("unknown-user", "honest\nn,,n=nobody,r=x\n"),
    ("escaped-user", "honest\nn,,n=us=3Der=2C,r=x\n"),
    ("wrong-escape", "honest\nn,,n=us=er,r=x\n"),
    ("prepared-user", "honest\nn,,n=u\u{ad}ser,r=x\n"),
    ("channel-binding", "honest\np=tls-exporter,,n=user,r=x\n"),
    ("no-header", "honest\nn=user,r=x\n"),
    ("no-nonce", "honest\nn,,n=user\n"),
    ("mandatory-first", "honest\nn,,m=x,n=user,r=x\n"),
    (
        "two-proofs",
        "literal\nn,,n=user,r=rOprNGfwEbeRWgbNEkqO\nc=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    ),
    (
        "sly",
        "sly\nn,,n=user,r=rOprNGfwEbeRWgbNEkqO\nc=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    ),
    (
        "sly-extension",
        "sly\nn,,n=user,r=rOprNGfwEbeRWgbNEkqO\nc=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,x=y",
    ),
    (
        "sly-nonce",
        "sly\nn,,n=user,r=rOprNGfwEbeRWgbNEkqO\nc=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k1",
    ),
    (
        "sly-long-nonce",
        "sly\nn,,n=user,r=rOprNGfwEbeRWgbNEkqO\nc=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k00",
    ),
    (
        "sly-binding",
        "sly\nn,,n=user,r=rOprNGfwEbeRWgbNEkqO\nc=eSws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    ),
    ("sly-no-nonce", "sly\nn,,n=user,r=rOprNGfwEbeRWgbNEkqO\nc=biws"),
    (
        "sly-proof",
        "sly\nn,,n=user,r=rOprNGfwEbeRWgbNEkqO\nc=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=",
    ),
];

/// PROXY headers that are text.
pub(crate) const PROXY: &[(&str, &str)] = &[
    ("line-4", "PROXY TCP4 1.2.3.4 5.6.7.8 1000 1883\r\n"),
    ("line-6", "PROXY TCP6 fd00::1 ::ffff:1.2.3.4 65535 0\r\n"),
    ("line-and-packet", "PROXY TCP4 1.2.3.4 5.6.7.8 1000 1883\r\n\u{10}0"),
    ("line-unknown", "PROXY UNKNOWN\r\n"),
    ("line-unknown-and-more", "PROXY UNKNOWN ffff:f... 1 2\r\n"),
    ("line-wrong-family", "PROXY TCP4 ::1 ::2 1 2\r\n"),
    ("line-wrong-port", "PROXY TCP4 1.2.3.4 5.6.7.8 70000 1\r\n"),
    ("line-signed-port", "PROXY TCP4 1.2.3.4 5.6.7.8 +1 -1\r\n"),
    ("line-leading-zero", "PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n"),
    ("line-two-spaces", "PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n"),
    ("line-too-much", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n"),
    (
        "line-without-end",
        "PROXY TCP4 111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111",
    ),
    ("line-feed-alone", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n"),
    ("connect", "\u{10}\r\0\u{4}MQTT\u{4}\u{2}\0<\0\u{1}a"),
    ("http", "GET / HTTP/1.1\r\n\r\n"),
    ("nothing", ""),
];

//! How Claude Code names a workspace's directory of transcripts. Pure.

use std::path::Path;

/// From this length on (in UTF-16 units) a name is cut and a hash of the path appended.
const LONGEST: usize = 200;

/// The names a workspace's directory may have: today's rule first, then those that older versions and other tools use.
pub(super) fn directories(cwd: &Path) -> Vec<String> {
    let path = cwd.to_string_lossy();
    let older: [fn(char) -> bool; 3] = [|c| matches!(c, '/' | '.' | '_' | ':'), |c| matches!(c, '/' | '.'), |c| c == '/'];
    let mut names = vec![today(&path)];
    for replaced in older {
        let name: String = path.chars().map(|c| if replaced(c) { '-' } else { c }).collect();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Every UTF-16 unit but ASCII letters and digits becomes a dash.
fn today(path: &str) -> String {
    let dashed: String = path
        .encode_utf16()
        .map(|unit| u8::try_from(unit).ok().filter(u8::is_ascii_alphanumeric).map_or('-', char::from))
        .collect();
    if dashed.len() <= LONGEST { dashed } else { format!("{}-{}", &dashed[..LONGEST], base36(hash(path).unsigned_abs())) }
}

/// The string hash of the JavaScript world: `h = h * 31 + unit`, in 32 bits.
fn hash(path: &str) -> i32 {
    path.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

fn base36(mut number: u32) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(char::from_digit(number % 36, 36).unwrap_or('0'));
        number /= 36;
        if number == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_claude_makes() {
        for (path, name) in [
            ("/home/dev/lab/landing_page", "-home-dev-lab-landing-page"),
            ("/home/dev/lab/checkout.v2", "-home-dev-lab-checkout-v2"),
            ("/home/dev/lab/with space", "-home-dev-lab-with-space"),
            ("/Émoji/😀/+=@,~", "--moji---------"),
            ("/Case/Kept9", "-Case-Kept9"),
        ] {
            assert_eq!(today(path), name, "{path}");
        }
    }

    #[test]
    fn a_long_path_is_cut_and_told_apart_by_its_hash() {
        // hash("ab") = 97 * 31 + 98; base 36 as JavaScript's toString(36) gives it.
        assert_eq!((hash("ab"), base36(3105).as_str(), base36(0).as_str()), (3105, "2e9", "0"));
        assert_eq!(base36(2_147_483_648), "zik0zk");
        let path = format!("/{}", "a".repeat(263));
        let name = today(&path);
        assert!(name.starts_with(&format!("-{}-", "a".repeat(199))), "{name}");
        assert_ne!(name, today(&format!("{}b", &path[..263])));
        assert_eq!(today(&path[..200]).len(), 200, "exactly the limit is not cut");
    }

    #[test]
    fn older_spellings_are_tried_as_well_and_none_twice() {
        assert_eq!(directories(Path::new("/a/b.c_d")), ["-a-b-c-d", "-a-b-c_d", "-a-b.c_d"]);
        assert_eq!(directories(Path::new("/a/b c:d")), ["-a-b-c-d", "-a-b c-d", "-a-b c:d"]);
        assert_eq!(directories(Path::new("/a")), ["-a"]);
    }
}

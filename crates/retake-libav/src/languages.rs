//! Names languages as containers, playlists and people do.

/// The table maps codes of three letters, both of those that ISO 639-2 has for some languages, to the codes
/// of two letters that BCP 47 wants instead.
const SHORT: &str = "ara=ar bul=bg ben=bn ces=cs cze=cs dan=da deu=de ger=de ell=el gre=el eng=en spa=es est=et fas=fa per=fa fin=fi \
    fra=fr fre=fr gle=ga heb=he hin=hi hrv=hr hun=hu ind=id isl=is ice=is ita=it jpn=ja kat=ka geo=ka kor=ko lit=lt lav=lv mkd=mk mac=mk \
    msa=ms may=ms nld=nl dut=nl nor=no nob=nb nno=nn pol=pl por=pt ron=ro rum=ro rus=ru slk=sk slo=sk slv=sl sqi=sq alb=sq srp=sr swe=sv \
    tam=ta tel=te tha=th tur=tr ukr=uk urd=ur vie=vi zho=zh chi=zh cat=ca eus=eu baq=eu glg=gl cym=cy wel=cy lat=la";

/// Returns a language, as a container writes it, as a tag of BCP 47, which playlists have; `None` if none is
/// given.
pub fn language_tag(language: &str) -> Option<String> {
    let known = |pair: &str| {
        let (long, short) = pair.split_once('=')?;
        long.eq_ignore_ascii_case(language).then(|| short.to_owned())
    };
    match language {
        "" | "und" => None,
        // a language without a code of two letters keeps the longer one
        other => Some(SHORT.split_whitespace().find_map(known).unwrap_or_else(|| other.to_owned())),
    }
}

/// Returns the code of three small letters (ISO 639-2) that ISO files have for a language, however it is
/// written: `eng` for `en`, `eng` and `en-GB`. `None` if there is none.
pub fn language_code(language: &str) -> Option<String> {
    let own = language.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    if !own.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return None;
    }
    match own.len() {
        3 => Some(own),
        // Where a language has two codes of three letters, the one of the language itself stands first.
        2 => {
            let pairs = SHORT.split_whitespace().filter_map(|pair| pair.split_once('='));
            let mut long = pairs.filter(|(_, short)| *short == own).map(|(long, _)| long.to_owned());
            long.next()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_containers_become_tags() {
        let tags = ["fra", "fre", "ENG", "haw", "en-GB", "und", ""].map(language_tag);
        let expected = [Some("fr"), Some("fr"), Some("en"), Some("haw"), Some("en-GB"), None, None];
        assert_eq!(tags, expected.map(|tag| tag.map(str::to_owned)));
    }

    #[test]
    fn tags_become_codes_of_three_letters() {
        let codes = ["en-GB", "EN", "ger", "de", "haw", "zh-Hant-TW", "x-own", "qq", "", "en1"];
        let codes = codes.map(language_code);
        let expected = ["eng", "eng", "ger", "deu", "haw", "zho"].map(|code| Some(code.to_owned()));
        assert_eq!(codes[..6], expected);
        assert!(codes[6..].iter().all(Option::is_none), "{codes:?}");
    }
}

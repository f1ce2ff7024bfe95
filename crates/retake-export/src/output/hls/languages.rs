//! This module names languages as playlists do (BCP 47).

/// The table maps codes of three letters, both of those that ISO 639-2 has for some languages, to the codes
/// of two letters that BCP 47 wants instead.
const SHORT: &str = "ara=ar bul=bg ben=bn ces=cs cze=cs dan=da deu=de ger=de ell=el gre=el eng=en spa=es est=et fas=fa per=fa fin=fi \
    fra=fr fre=fr gle=ga heb=he hin=hi hrv=hr hun=hu ind=id isl=is ice=is ita=it jpn=ja kat=ka geo=ka kor=ko lit=lt lav=lv mkd=mk mac=mk \
    msa=ms may=ms nld=nl dut=nl nor=no nob=nb nno=nn pol=pl por=pt ron=ro rum=ro rus=ru slk=sk slo=sk slv=sl sqi=sq alb=sq srp=sr swe=sv \
    tam=ta tel=te tha=th tur=tr ukr=uk urd=ur vie=vi zho=zh chi=zh cat=ca eus=eu baq=eu glg=gl cym=cy wel=cy lat=la";

/// Returns a language, as a container writes it, for a playlist, or `None` if none is given.
pub(crate) fn tag(language: &str) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_containers_become_tags() {
        let tags = ["fra", "fre", "ENG", "haw", "en-GB", "und", ""].map(tag);
        let expected = [Some("fr"), Some("fr"), Some("en"), Some("haw"), Some("en-GB"), None, None];
        assert_eq!(tags, expected.map(|tag| tag.map(str::to_owned)));
    }
}

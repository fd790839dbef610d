#!/usr/bin/env python3
"""Writes src/mapping/region/names.tsv: what countries are called elsewhere than in English.

The names are those of Unicode's CLDR, through the Python package `babel`: of each country in its own languages, and in
the languages below. Formal names and abbreviations that CLDR does not have stand here.

    pip install babel==2.19.0
    python3 scripts/country-names.py > src/mapping/region/names.tsv

A name that two countries go by belongs to the one that calls itself so, else to none. English names and codes are in
src/mapping/region.rs and come first. Columns: two-letter code, names with | between them.
"""

import re
import unicodedata
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.languages import get_official_languages

REGION_RS = Path(__file__).parent.parent / "src/mapping/region.rs"
# Beside a country's own: the languages in which most of the forms of Europe and America are filled.
LANGUAGES = ["de", "fr", "es", "it", "pt", "nl", "pl", "sv", "da", "nb", "fi", "cs", "hu", "ro", "tr", "ru", "uk", "el"]
# English names that mean two countries mean none in another language either.
AMBIGUOUS = {"congo", "kongo", "korea", "corea", "virginislands"}

OWN = {
    "AE": "الإمارات|VAE|EAU", "AR": "República Argentina", "AT": "Republik Österreich|Oesterreich", "AU": "Aust|Aussie",
    "BA": "BiH|Bosna", "BE": "Koninkrijk België|Royaume de Belgique", "BR": "República Federativa do Brasil",
    "CA": "Dominion of Canada", "CH": "Schweizerische Eidgenossenschaft|Confédération suisse|Helvetia",
    "CN": "PR China|中华人民共和国|中國|VR China|Zhongguo", "CZ": "Czech Rep|Česká republika|Tschechische Republik|Tschechei",
    "DE": "BRD|Bundesrepublik Deutschland", "DK": "Kongeriget Danmark", "DO": "Rep Dom|RD",
    "ES": "Reino de España|Espanya|Espainia", "FI": "Suomen tasavalta", "FR": "République française",
    "GB": "Great Britain|Britain|England|Scotland|Wales|Northern Ireland|Cymru|Großbritannien|Grande-Bretagne|"
          "Gran Bretaña|Gran Bretagna|Grã-Bretanha|Groot-Brittannië|Storbritannien|Angleterre|Inglaterra|Inghilterra|"
          "Engeland|Schottland|Écosse|Escocia|Англия|Великобритания|英国|英國|イギリス",
    "GR": "Hellas|Ellada|Hellenic Republic|Ελληνική Δημοκρατία", "HK": "Hong Kong SAR|HKSAR|香港",
    "HR": "Republika Hrvatska", "ID": "Republik Indonesia", "IE": "Eire|ROI|Rep of Ireland|Southern Ireland",
    "IN": "Bharat|Hindustan", "IR": "Persia", "IT": "Repubblica Italiana", "JP": "日本国|Nippon|Nihon",
    "KR": "ROK|S Korea|Sth Korea|대한민국|韓国|韩国", "KP": "DPRK|N Korea", "LU": "Grand-Duché de Luxembourg|Lëtzebuerg",
    "MC": "Principauté de Monaco", "MK": "FYROM|Macedonia", "MX": "Méjico|Estados Unidos Mexicanos",
    "NL": "Koninkrijk der Nederlanden|Holland|Holanda|Hollande|Olanda", "NO": "Kongeriket Norge|Noreg", "NZ": "N Zealand",
    "PH": "Pilipinas|Phils", "PL": "Rzeczpospolita Polska", "PT": "República Portuguesa",
    "RU": "РФ|Российская Федерация|Rossiya|Rossija", "SA": "Saudi", "SE": "Konungariket Sverige",
    "SK": "Slovenská republika|Slowakische Republik", "SV": "Salvador", "TR": "Türkiye Cumhuriyeti",
    "TW": "ROC|Taiwan R O C|中華民國|台湾|臺灣", "UA": "Ukrayina", "VN": "Viet Nam",
    "US": "US of A|EE UU|EEUU|EUA|E U A|VSA|VS|США|Etats Unis d'Amérique|"
          "Estados Unidos de América|Estados Unidos da América|Stati Uniti d'America|Vereinigte Staaten von Amerika|"
          "Verenigde Staten van Amerika|Соединенные Штаты Америки|美国|美國|アメリカ|アメリカ合衆国|미국|Amerika",
    "ZA": "RSA|S Africa|Sth Africa",
}


def key(name):
    """The letters of a name in one spelling; the twin of `key` in region.rs."""
    name = unicodedata.normalize("NFD", name.lower())
    letters = []
    for char in name:
        if char in ".'’" or "\u0300" <= char <= "\u036f":
            continue
        char = {"ø": "o", "ł": "l", "đ": "d", "ı": "i", "ß": "ss", "æ": "ae", "œ": "oe"}.get(char, char)
        letters.append(char if char[0].isalpha() or unicodedata.category(char[0]).startswith("M") else " ")
    words = ["saint" if word == "st" else word for word in "".join(letters).split()]
    return "".join(word for word in words if word not in ("the", "and")) or "".join(letters).strip()


def names_of(code, languages):
    for language in languages:
        try:
            name = Locale.parse(language).territories.get(code)
        except (UnknownLocaleError, ValueError):
            continue
        if name and name != code:
            yield name
            if language == "de" and set(name) & set("äöü"):
                yield name.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue").replace("Ö", "Oe").replace("Ä", "Ae")


def main():
    rows = re.findall(r'^    \("([A-Z]{2})", "([A-Z]{3})", "(.*)"\),$', REGION_RS.read_text(), re.M)
    english = {key(name): code for code, three, names in rows for name in [code, three, *names.split("|")]}
    scripts = get_global("likely_subtags")
    taken, names = dict(english), {code: [] for code, *_ in rows}

    def take(found, wins):
        """Names that two countries share are nobody's, unless they are some country's own."""
        owners = {}
        for code, name in found:
            owners.setdefault(key(name), []).append((code, name))
        for spelling, said in owners.items():
            codes = {code for code, _ in said}
            if spelling in AMBIGUOUS or len(spelling) < 2 or (len(codes) > 1 and not wins) or spelling in taken:
                continue
            code, name = said[0]
            if len(codes) == 1:
                taken[spelling] = code
                names[code].append(name)

    take([(code, name) for code, said in OWN.items() for name in said.split("|")], True)
    own = []
    for code in names:
        official = get_official_languages(code, regional=True, de_facto=True)
        for language in official:
            likely = scripts.get(f"{language}_{code}", "")
            variants = {language, "_".join(likely.split("_")[:2])} if likely else {language}
            own += [(code, name) for name in names_of(code, sorted(variants))]
    for language in ("zh_Hans", "zh_Hant", "sr_Latn", "ja", "ko", "ar"):
        own += [(code, name) for code in names for name in names_of(code, [language]) if language[:2] in get_official_languages(code, regional=True, de_facto=True)]
    take(own, False)
    take([(code, name) for code in names for name in names_of(code, LANGUAGES)], False)
    for code, said in names.items():
        if said:
            print(code, "|".join(said), sep="\t")


if __name__ == "__main__":
    main()

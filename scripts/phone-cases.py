#!/usr/bin/env python3
"""Writes tests/fixtures/phones.tsv: phone numbers as people write them, and what they must become.

The answers are those of Google's libphonenumber, through its Python port: a number written internationally has to be
possible, a national one valid in any region of the calling code of its home. Before it stands what this project reads
that libphonenumber does not: fractions, words behind a number, a second number, Mexico's old prefixes. Its version must carry the metadata
of the `phonenumber` crate in Cargo.lock (0.3.10+9.0.33), so that a difference is one of code and not of data:

    pip install phonenumbers==9.0.33
    python3 scripts/phone-cases.py > tests/fixtures/phones.tsv
    python3 scripts/phone-cases.py --per-region 60 --seed 7 > /tmp/many.tsv

Tests read the table and never run this. Columns: text, region (or empty), expected E.164 (or empty when the
number must be refused), kind.
"""

import argparse
import random
import re
import sys

import phonenumbers as pn
from phonenumbers.phonemetadata import PhoneMetadata

E164 = re.compile(r"\+[1-9][0-9]{6,14}")
TYPES = [value for name, value in vars(pn.PhoneNumberType).items() if name.isupper() and isinstance(value, int)]
FULL_WIDTH = str.maketrans("0123456789+", "０１２３４５６７８９＋")
ARABIC_INDIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
EXTENSIONS = [" ext. 12", " x123", ";ext=7", " extension 4567", "#89", ",,345", " доб. 21", " int 5", " - 503#", "; 44"]
PREFIXES = ["00", "011", "0011", "001", "002", "005", "007", "009", "010", "0015", "00414", "810", "09", "01", "0021",
            "119", "00700", "1230", "99555", "1400", "16", "19"]
LABELS = ["{}", "Tel: {}", "{} ", "Mobile {}.", "({})", "phone:{}"]

HARD = [
    # text, region
    ("+44 7700 900123", ""), ("07700 900123", "GB"), ("011 44 7700 900123", "US"), ("00 44 7700 900123", "FR"),
    ("00447700900123", ""), ("00447700900123", "US"), ("01144 20 7183 8750", "GB"), ("001 479 212 3456", ""),
    ("0011 376 312345", ""), ("0011 376 312345", "AU"), ("+0044 20 7946 0958", "GB"), ("+011 44 20 7946 0958", "US"),
    ("+00 44 20 7946 0958", ""), ("++44 20 7946 0958", ""), ("+44 (0) 20 7946 0958", ""), ("+44 (0)20 7946 0958", "DE"),
    ("(020) 7946 0958", "GB"), ("44 20 7946 0958", "GB"), ("44 20 7946 0958", ""), ("1 650 253 0000", "US"),
    ("650 253 0000", "US"), ("253 0000", "US"), ("+1 253 0000", ""), ("+1 604 555 0123", "US"), ("604 555 0123", "US"),
    ("604 555 0123", "CA"), ("16045550123", "CA"), ("01534 456789", "JE"), ("01534 456789", "GB"), ("456789", "JE"),
    ("1-800-FLOWERS", "US"), ("1 800 FLOWERS", "US"), ("+1 800 GOT JUNK", ""), ("1-800-FLOWERS x12", "US"),
    ("+1-800-six-flag", "US"), ("8 800 555 35 35", "RU"), ("8 800 080 1234", "KZ"), ("+7 800 555 35 35", ""),
    ("+7 701 234 5678", ""), ("8 701 234 56 78", "KZ"), ("8 701 234 56 78", "RU"), ("8 495 123 45 67", "RU"),
    ("8 800 12345", "LT"), ("8 612 34567", "LT"), ("0 612 34567", "LT"), ("+370 800 12345", ""),
    ("8 0152 450911", "BY"), ("8 029 491 19 11", "BY"), ("8 800 100 1234", "BY"), ("+375 800 100 1234", ""),
    ("0720 123 456", "RW"), ("720123456", "RW"), ("06 123456", "RW"), ("250123456", "RW"), ("0250123456", "RW"),
    ("011 15 2345 6789", "AR"), ("+54 9 11 2345 6789", ""), ("0343 15 555 1212", "AR"), ("+54 343 15 555 1212", ""),
    ("06 12 34 56 78", "IT"), ("+39 06 1234 5678", ""), ("0549 886377", "SM"), ("886377", "SM"), ("+378 886377", ""),
    ("+39 0549 886377", "SM"), ("06698 12345", "VA"), ("0312345", "GA"), ("011 123456", "GA"), ("06 031234", "GA"),
    ("033 1234 5678", "BR"), ("0 15 11 96123 4567", "BR"), ("90 21 11 96123 4567", "BR"), ("+55 11 96123-4567", ""),
    ("044 55 1234 5678", "MX"), ("+52 1 55 1234 5678", ""), ("01 55 1234 5678", "MX"), ("+52 55 1234 5678", ""),
    ("+49 30 123456", ""), ("030 123456", "DE"), ("+49 1234 5678901234", ""), ("+49 12345678901234567", ""),
    ("+49 0 0 30 123456", ""), ("+49 00301234", ""), ("+43 1234", ""), ("1234", "AT"), ("+290 22158", ""),
    ("+290 8999", ""), ("+247 6889", ""), ("+683 4002", ""), ("+800 1234 5678", ""), ("+808 1234 5678", ""),
    ("+870 301234567", ""), ("+881 612 345 678", ""), ("+883 510 012 345", ""), ("+888 123 456 789 01", ""),
    ("+979 123 456 789", ""), ("+882 1234 5678", ""), ("+878 10 1234567890", ""), ("+999 1234567", ""),
    ("+210 1234567", ""), ("+0 1234567", ""), ("+", ""), ("+1", ""), ("12", "GB"), ("112", "DE"), ("999", "GB"),
    ("", "GB"), ("   ", ""), ("-", "GB"), ("n/a", "US"), ("none", "US"), ("unknown", ""), ("jane@example.com", "US"),
    ("0000000000", "US"), ("1234567890", "US"), ("5555555555", "US"), ("000 000 0000", "GB"), ("1111111111", "IN"),
    ("tel:+44-20-7946-0958", ""), ("tel:+44-20-7946-0958;ext=12", "US"), ("tel:020-7946-0958;phone-context=+44", ""),
    ("tel:7946-0958;phone-context=+44-20", ""), ("tel:020-7946-0958;phone-context=example.com", "GB"),
    ("tel:020-7946-0958;phone-context=example.com", ""), ("tel:020-7946-0958;phone-context=", "GB"),
    ("tel:020-7946-0958;phone-context=-x.", "GB"), ("tel:+44-20-7946-0958;isub=12345", ""),
    ("020-7946-0958;isub=12345;phone-context=+44", ""), ("tel:+44-20-7946-0958;foo=bar", ""),
    ("tel:2530000;ext=3;phone-context=+1-650", ""), ("020 7946 0958 / 020 7946 0959", "GB"),
    ("020 7946 0958/x20", "GB"), ("(530) 583-6985 x302/x2303", "US"), ("020 7946 0958, 07700 900123", "GB"),
    ("020 7946 0958 or 07700 900123", "GB"), ("020 7946 0958; 020 7946 0959", "GB"), ("650 253 0000 #12345", "US"),
    ("650 253 0000 ext 123456789012345678901", "US"), ("650 253 0000 x 1234567890", "US"), ("020 7946 0958 extensión 3", "GB"),
    ("650.253.0000", "US"), ("650/253/0000", "US"), ("[650] 253-0000", "US"), ("650–253–0000", "US"), ("650\u00a0253\u00a00000", "US"),
    ("+1\u200b650\u200b253\u200b0000", ""), ("*650 253 0000", "US"), ("650*253*0000", "US"), ("~650 253 0000", "US"),
    ("\u202a+1 650 253 0000\u202c", ""), ("💬 +1 650 253 0000", ""), ("+1 650 253 0000 💬", ""), ("+1 650 253 00 00 abc", ""),
    ("+1 650 253 0000 home", ""), ("home +1 650 253 0000", ""), ("+1 650 253 0000 (Jane)", ""), ("+1 (650) 253-0000 (w)", ""),
    ("00 1 650 253 0000", "DE"), ("009 1 650 253 0000", "DE"), ("0011 44 20 7946 0958", "AU"), ("0014 44 20 7946 0958", "AU"),
    ("8 10 44 20 7946 0958", "RU"), ("810 44 20 7946 0958", "RU"), ("010 44 20 7946 0958", "JP"), ("119 44 20 7946 0958", "CU"),
    ("001 44 20 7946 0958", "KR"), ("00700 44 20 7946 0958", "KR"), ("0030 44 20 7946 0958", "HK"), ("001 65 6123 4567", "HK"),
    ("0021 44 20 7946 0958", "BR"), ("1230 44 20 7946 0958", "CL"), ("011 1 650 253 0000", "US"), ("011 0 44 7700 900123", "US"),
    ("011", "US"), ("01144", "US"), ("00", "GB"), ("0044", "GB"), ("0120 123 456", "JP"), ("0800 2345 678", "JP"),
    ("00777 0 11", "JP"), ("0037 6012 3456", "JP"), ("+81 3 1234 5678", ""), ("1 5 0 0 12 27 1234", "LU"), ("15012 27 12 34 56", "LU"),
    ("1001 234 56 78", "LI"), ("6503 331 6005", "NZ"), ("64(0)64123456", "NZ"), ("03-331 6005", "NZ"), ("+64 3 331 6005", ""),
    ("0061 2 1234 5678", "NZ"), ("123456", "NF"), ("22123", "NF"), ("1831 1234 5678", "AU"), ("0412 345 678", "AU"),
    ("5 1234 567", "CX"), ("9164 4321", "CX"), ("4123 456", "MG"), ("020 12 345 67", "MG"), ("0 21 8123 4567", "KR"),
    ("082 2 312 3456", "KR"), ("06 1 234 5678", "HU"), ("+36 06 1 234 5678", ""), ("+91 98765 43210", "IN"), ("098765 43210", "IN"),
    ("98765 43210", "IN"), ("9876543210", "US"), ("+919876543210 ", ""), ("91 98765 43210", "IN"), ("0091 98765 43210", "AE"),
    ("(787) 234-5678", "US"), ("(506) 234-5678", "US"), ("671 472 1234", "US"), ("06 698 12345", "IT"), ("06698 12345", "IT"),
    ("01534 456789", "IM"), ("07924 123456", "JE"), ("8 727 258 1234", "RU"), ("345 945 1234", "CA"),
    ("3012345.0", "DE"), ("4155550142.0", "US"), ("4155550142.00", "US"), ("4155550142.5", "US"), ("3012345.75", "DE"),
    ("4.155550142E9", "US"), ("4.155550142e+09", "US"), ("4155550142.", "US"), ("030.1234567", "DE"), ("0612345678.0", "FR"),
    ("4,155,550,142", "US"), ("+14155550142.0", ""), ("14155550142.0", "US"), ("415555.0142", "US"), ("12345.6", "DE"),
    ("1 55 1234 5678", "MX"), ("52 1 55 1234 5678", "MX"), ("5215512345678", "MX"), ("+5215512345678", "US"), ("045 55 1234 5678", "MX"),
    ("+52 044 55 1234 5678", ""), ("+52 01 55 1234 5678", ""), ("55 1234 5678", "MX"), ("011 52 1 55 1234 5678", "US"),
    ("01 33 1234 5678", "MX"), ("+52 1 55 1234 567", ""), ("52 55 1234 5678", "MX"), ("044 55 1234 5678", "US"),
    ("415 555 0142 home", "US"), ("415-555-0142 (mobile)", "US"), ("0301 2345678 (privat)", "DE"), ("030 123456 Büro", "DE"),
    ("030 123456 home", "DE"), ("+49 30 123456 Durchwahl 12", ""), ("8 495 123-45-67 моб.", "RU"), ("4155550142mobile", "US"),
    ("415 555 0142 cell", "US"), ("mobile: 415 555 0142 (evenings)", "US"), ("1-800-555-TELL", "US"), ("+1 800 555 TELL", ""),
    ("0800 1234 567 REPAIR", "GB"), ("415 555 0142 / 415 555 0143", "US"), ("415 555 0142, 415 555 0143", "US"),
    ("415 555 0142; 415 555 0143", "US"), ("415 555 0142 or 415 555 0143", "US"), ("415 555 0142 | 415 555 0143", "US"),
    ("415 555 0142 & 415 555 0143", "US"), ("+14155550142 +14155550143", ""), ("030 1234567 oder 0171 2345678", "DE"),
    ("030/1234567 / 0171/2345678", "DE"), ("030/1234567", "DE"), ("0664/1234567", "AT"), ("612 34 56 78 y 612 34 56 79", "ES"),
    ("030 123456 / 78", "DE"), ("415 555 0142 / 0143", "US"), ("06 12 34 56 78 ou 01 23 45 67 89", "FR"),
    ("+44 20 7946 0958 / 07700 900123", ""), ("415 555 0142 ext. 12 (office)", "US"), ("415 555 0142 x12 / 415 555 0143", "US"),
    ("415 555 0142\u00a0home", "US"), ("office 415 555 0142", "US"), ("p:+14155550142", "US"), ("'+14155550142", "US"),
    ("9" * 251, "US"), ("+" + "1" * 20, ""), ("+1 650 253 0000" + " " * 236, ""), ("1" * 17, "DE"), ("+4" * 10, ""),
]


def value_of(text):
    """A text that a program made of a number, as the digits it was made of; None where they are lost."""
    text = text.strip()
    unsigned = text.lstrip("+-")
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?[eE][+-]*[0-9]+", unsigned):
        return None
    if re.fullmatch(r"[1-9][0-9]{0,2}(,[0-9]{3}){2,}", unsigned):
        return text.replace(",", "")
    fraction = re.fullmatch(r"([+-]*[0-9]+)\.([0-9]+)", text)
    if not fraction:
        return text
    whole, rest = len(fraction[1].lstrip("+-")), fraction[2]
    if whole >= 6 and len(rest) <= 2 and not rest.strip("0"):
        return fraction[1]
    return None if whole >= 7 or len(rest) <= 2 else text


def head_of(text):
    """What precedes a word behind the number, or a second number, and whether it is certain that it is all."""
    digits, uncertain = 0, (None, False)
    for at, char in enumerate(text):
        before, after = text[:at], text[at + 1:]
        apart = char in "/\\,;|&+" or (char.isalpha() and before.endswith(" ") and after.startswith(" "))
        second = digits >= 6 and apart and re.match(r"[\d+(]", after.lstrip())
        as_long = sum(c.isnumeric() for c in after) >= 6
        word = char.isalpha() and after[:1].isalpha() and not before.rstrip().endswith(";")
        if (second and as_long) or (digits >= 7 and word):
            return before, digits >= 8
        if second and uncertain[0] is None:
            uncertain = before, False
        digits += char.isnumeric()
    return uncertain


def answer(text, region):
    """The E.164 form under this project's rule, or an empty string."""
    text = value_of(text)
    if text is None:
        return ""
    head, certain = head_of(text)
    of_head = one_number(head, region) if head is not None else ""
    if of_head and certain:
        return of_head
    return one_number(text, region) or of_head


def one_number(text, region):
    try:
        number = pn.parse(text, region or None, keep_raw_input=True)
        international = number.country_code_source in (
            pn.CountryCodeSource.FROM_NUMBER_WITH_PLUS_SIGN,
            pn.CountryCodeSource.FROM_NUMBER_WITH_IDD,
        )
        # Mexico dials ten digits since 2019; what was dialled before them is no part of the number any more.
        national = pn.national_significant_number(number)
        mexican = re.fullmatch(r"(?:1|01|044|045)([0-9]{10})", national) if number.country_code == 52 else None
        if mexican:
            number = pn.parse("+52" + mexican[1], None)
        if international:
            good = pn.is_possible_number_with_reason(number) == pn.ValidationResult.IS_POSSIBLE
        else:
            sharing = pn.COUNTRY_CODE_TO_REGION_CODE.get(number.country_code, ())
            good = bool(region) and any(pn.is_valid_number_for_region(number, other) for other in sharing)
        e164 = pn.format_number(number, pn.PhoneNumberFormat.E164)
        # Stricter than libphonenumber: what is no E.164 number, or is read differently the next time, is none.
        if not good or not E164.fullmatch(e164):
            return ""
        again = pn.parse(e164, None)
        same = pn.format_number(again, pn.PhoneNumberFormat.E164) == e164
        return e164 if same and pn.is_possible_number_with_reason(again) == pn.ValidationResult.IS_POSSIBLE else ""
    except pn.NumberParseException:
        return ""


def numbers_of(region, rng, count):
    """Valid numbers: the examples of every type, and examples with other last digits."""
    examples = [pn.example_number_for_type(region, kind) for kind in TYPES]
    examples = [number for number in examples if number]
    found = list(examples)
    for _ in range(count * 20):
        if len(found) >= len(examples) + count or not examples:
            break
        nsn = pn.national_significant_number(rng.choice(examples))
        keep = rng.randint(1, len(nsn) - 1)
        nsn = nsn[:keep] + "".join(rng.choice("0123456789") for _ in nsn[keep:])
        number = pn.parse(f"+{pn.country_code_for_region(region)}{nsn}", None)
        if pn.is_valid_number_for_region(number, region):
            found.append(number)
    return found


def formats(number, region, regions, rng):
    """The ways to write one number, as (text, region of the writer, kind)."""
    def written(form):
        return pn.format_number(number, form)
    national, international = written(pn.PhoneNumberFormat.NATIONAL), written(pn.PhoneNumberFormat.INTERNATIONAL)
    abroad = rng.choice(regions)
    bare = written(pn.PhoneNumberFormat.E164)[1:]
    nsn = pn.national_significant_number(number)
    yield national, region, "national"
    yield re.sub(r"\D", "", national), region, "national-digits"
    yield nsn, region, "national-significant"
    yield rng.choice(LABELS).format(national), region, "labelled"
    yield national, "", "national-without-region"
    yield national, abroad, "national-elsewhere"
    yield international, rng.choice(["", region, abroad]), "international"
    yield "+" + bare, abroad, "e164"
    yield bare, region, "calling-code-without-plus"
    yield f"+{number.country_code} (0) {nsn}", "", "trunk-zero"
    yield written(pn.PhoneNumberFormat.RFC3966), rng.choice(["", abroad]), "rfc3966"
    yield f"tel:{nsn};phone-context=+{number.country_code}", "", "rfc3966-context"
    yield national + rng.choice(EXTENSIONS), region, "extension"
    yield international + rng.choice(EXTENSIONS), "", "extension"
    yield national.translate(FULL_WIDTH), region, "full-width"
    yield international.translate(FULL_WIDTH), "", "full-width"
    yield national.translate(ARABIC_INDIC), region, "arabic-indic"
    for caller in (region, abroad):
        yield pn.format_out_of_country_calling_number(number, caller), caller, "dialled-abroad"
        pattern = PhoneMetadata.metadata_for_region(caller).international_prefix or ""
        own = [prefix for prefix in PREFIXES if re.fullmatch(pattern, prefix)]
        yield rng.choice(own or ["00"]) + rng.choice(["", " "]) + bare, caller, "dialled-abroad"
    yield rng.choice(["00", "011"]) + " " + bare, rng.choice(["", abroad]), "dialled-elsewhere"
    yield national[:-1], region, "too-short"
    yield international[:-1], "", "too-short"
    yield national + rng.choice("0123456789"), region, "too-long"
    yield international + rng.choice("0123456789"), "", "too-long"
    at = rng.randrange(len(bare))
    yield "+" + bare[:at] + rng.choice("0123456789") + bare[at + 1:], "", "slip"
    digits = re.sub(r"\D", "", national)
    at = rng.randrange(len(digits))
    yield digits[:at] + rng.choice("0123456789") + digits[at + 1:], region, "slip"
    yield "".join(rng.choice("0123456789") for _ in range(rng.randint(2, 16))), region, "random"
    yield "+" + "".join(rng.choice("0123456789") for _ in range(rng.randint(2, 17))), rng.choice(["", abroad]), "random"
    yield "".join(rng.choice("0123456789+-() .x/#,;a*") for _ in range(rng.randint(2, 20))), region, "noise"


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--per-region", type=int, default=0, help="random numbers per region; all written in all ways")
    options.add_argument("--seed", type=int, default=1)
    options = options.parse_args()
    rng = random.Random(options.seed)
    regions = sorted(pn.SUPPORTED_REGIONS)
    rows = {}
    for text, region in HARD:
        rows[text, region] = "hard"
    kind_turn = 0
    for region in regions:
        numbers = numbers_of(region, rng, options.per_region)
        ways = [list(formats(number, region, regions, rng)) for number in numbers]
        if not options.per_region:
            # A small table: every region is there nationally, internationally and in two more ways in turn.
            flat = [rng.choice(ways)[index] for index in (0, 6)]
            for _ in range(2):
                kind_turn += 1
                flat.append(rng.choice(ways)[kind_turn % len(ways[0])])
            ways = [flat]
        for way in ways:
            for text, caller, kind in way:
                rows.setdefault((text, caller), kind)
    for code in sorted(pn.COUNTRY_CODES_FOR_NON_GEO_REGIONS):
        number = pn.example_number_for_non_geo_entity(code)
        for form in (pn.PhoneNumberFormat.INTERNATIONAL, pn.PhoneNumberFormat.RFC3966):
            rows.setdefault((pn.format_number(number, form), ""), "non-geographic")
        bare = pn.format_number(number, pn.PhoneNumberFormat.E164)[1:]
        rows.setdefault(("011 " + bare, "US"), "non-geographic")
    print(f"# phonenumbers {pn.__version__}, scripts/phone-cases.py\ntext\tregion\texpected\tkind")
    for (text, region), kind in rows.items():
        if not set(text) & set("\t\n\r"):
            print(text, region, answer(text, region), kind, sep="\t")


if __name__ == "__main__":
    sys.exit(main())

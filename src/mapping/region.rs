//! Countries and territories from what people write: ISO 3166 codes, English names and their own.
//!
//! Only regions with a telephone numbering plan are known, as that is what a region is for here. A name that
//! several regions go by ("Congo", "Virgin Islands") is none. Must not guess from anything else than the text.

mod reading;

/// A country or territory with a telephone numbering plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Region(&'static str);

impl Region {
    /// Reads a two- or three-letter ISO 3166 code (and "UK"), an English name, a country's own name or its name in one of
    /// the larger languages of Europe; case, accents, dots, "the" and "and" don't matter. Of what stands beside it a code
    /// at the end decides (`United Kingdom (UK)`), and a part of a country is that country (`US-CA`, `Paris, France`).
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        reading::region_in(text)
    }

    /// The two-letter code of ISO 3166, in upper case.
    #[must_use]
    pub fn alpha2(self) -> &'static str {
        self.0
    }
}

/// Two letters, three letters, names. Kosovo and two islands have codes that ISO 3166 only reserves.
#[rustfmt::skip]
const REGIONS: &[(&str, &str, &str)] = &[
    ("AC", "ASC", "Ascension Island|Ascension"),
    ("AD", "AND", "Andorra|Principality of Andorra"),
    ("AE", "ARE", "United Arab Emirates|UAE|Emirates"),
    ("AF", "AFG", "Afghanistan|Islamic Republic of Afghanistan"),
    ("AG", "ATG", "Antigua and Barbuda|Antigua"),
    ("AI", "AIA", "Anguilla"),
    ("AL", "ALB", "Albania"),
    ("AM", "ARM", "Armenia"),
    ("AO", "AGO", "Angola"),
    ("AR", "ARG", "Argentina|Argentine Republic"),
    ("AS", "ASM", "American Samoa"),
    ("AT", "AUT", "Austria"),
    ("AU", "AUS", "Australia"),
    ("AW", "ABW", "Aruba"),
    ("AX", "ALA", "Åland Islands|Aland"),
    ("AZ", "AZE", "Azerbaijan"),
    ("BA", "BIH", "Bosnia and Herzegovina|Bosnia"),
    ("BB", "BRB", "Barbados"),
    ("BD", "BGD", "Bangladesh|People's Republic of Bangladesh"),
    ("BE", "BEL", "Belgium"),
    ("BF", "BFA", "Burkina Faso"),
    ("BG", "BGR", "Bulgaria"),
    ("BH", "BHR", "Bahrain"),
    ("BI", "BDI", "Burundi"),
    ("BJ", "BEN", "Benin"),
    ("BL", "BLM", "Saint Barthélemy|Saint Barts"),
    ("BM", "BMU", "Bermuda"),
    ("BN", "BRN", "Brunei Darussalam|Brunei"),
    ("BO", "BOL", "Bolivia|Plurinational State of Bolivia|Bolivia Plurinational State of"),
    ("BQ", "BES", "Bonaire Sint Eustatius and Saba|Caribbean Netherlands|Bonaire"),
    ("BR", "BRA", "Brazil|Federative Republic of Brazil"),
    ("BS", "BHS", "Bahamas|Commonwealth of the Bahamas"),
    ("BT", "BTN", "Bhutan"),
    ("BW", "BWA", "Botswana"),
    ("BY", "BLR", "Belarus|Belorussia"),
    ("BZ", "BLZ", "Belize"),
    ("CA", "CAN", "Canada"),
    ("CC", "CCK", "Cocos Islands|Cocos Keeling Islands|Keeling Islands"),
    ("CD", "COD", "The Democratic Republic of the Congo|Congo Democratic Republic of|DRC|DR Congo|Congo DRC|Congo Kinshasa|Congo Democratic Republic"),
    ("CF", "CAF", "Central African Republic|CAR|Central African Rep"),
    ("CG", "COG", "Republic of the Congo|Congo Brazzaville|Congo Republic"),
    ("CH", "CHE", "Switzerland|Swiss Confederation"),
    ("CI", "CIV", "Côte d'Ivoire|Ivory Coast"),
    ("CK", "COK", "Cook Islands"),
    ("CL", "CHL", "Chile"),
    ("CM", "CMR", "Cameroon"),
    ("CN", "CHN", "China|People's Republic of China|PRC|Mainland China"),
    ("CO", "COL", "Colombia"),
    ("CR", "CRI", "Costa Rica"),
    ("CU", "CUB", "Cuba"),
    ("CV", "CPV", "Cabo Verde|Cape Verde"),
    ("CW", "CUW", "Curaçao"),
    ("CX", "CXR", "Christmas Island"),
    ("CY", "CYP", "Cyprus"),
    ("CZ", "CZE", "Czechia|Czech Republic"),
    ("DE", "DEU", "Germany|Federal Republic of Germany"),
    ("DJ", "DJI", "Djibouti"),
    ("DK", "DNK", "Denmark"),
    ("DM", "DMA", "Dominica|Commonwealth of Dominica"),
    ("DO", "DOM", "Dominican Republic|Dominican Rep"),
    ("DZ", "DZA", "Algeria|People's Democratic Republic of Algeria"),
    ("EC", "ECU", "Ecuador"),
    ("EE", "EST", "Estonia"),
    ("EG", "EGY", "Egypt|Arab Republic of Egypt"),
    ("EH", "ESH", "Western Sahara"),
    ("ER", "ERI", "Eritrea|the State of Eritrea"),
    ("ES", "ESP", "Spain"),
    ("ET", "ETH", "Ethiopia|Federal Democratic Republic of Ethiopia"),
    ("FI", "FIN", "Finland"),
    ("FJ", "FJI", "Fiji"),
    ("FK", "FLK", "Falkland Islands|Falkland Islands Malvinas|Falklands|Islas Malvinas"),
    ("FM", "FSM", "Micronesia|Federated States of Micronesia|Micronesia Federated States of"),
    ("FO", "FRO", "Faroe Islands|Faroes"),
    ("FR", "FRA", "France|French Republic"),
    ("GA", "GAB", "Gabon|Gabonese Republic"),
    ("GB", "GBR", "United Kingdom|United Kingdom of Great Britain and Northern Ireland|Great Britain|Britain|England|Scotland|Wales|Northern Ireland|United Kingdom of Great Britain"),
    ("GD", "GRD", "Grenada"),
    ("GE", "GEO", "Georgia"),
    ("GF", "GUF", "French Guiana|French Guyana"),
    ("GG", "GGY", "Guernsey"),
    ("GH", "GHA", "Ghana"),
    ("GI", "GIB", "Gibraltar"),
    ("GL", "GRL", "Greenland"),
    ("GM", "GMB", "Gambia"),
    ("GN", "GIN", "Guinea"),
    ("GP", "GLP", "Guadeloupe"),
    ("GQ", "GNQ", "Equatorial Guinea"),
    ("GR", "GRC", "Greece|Hellenic Republic"),
    ("GT", "GTM", "Guatemala"),
    ("GU", "GUM", "Guam"),
    ("GW", "GNB", "Guinea-Bissau"),
    ("GY", "GUY", "Guyana"),
    ("HK", "HKG", "Hong Kong|Hong Kong Special Administrative Region of China|Hong Kong SAR|Hong Kong SAR China|Hong Kong China"),
    ("HN", "HND", "Honduras"),
    ("HR", "HRV", "Croatia"),
    ("HT", "HTI", "Haiti"),
    ("HU", "HUN", "Hungary"),
    ("ID", "IDN", "Indonesia"),
    ("IE", "IRL", "Ireland|Eire"),
    ("IL", "ISR", "Israel|State of Israel"),
    ("IM", "IMN", "Isle of Man"),
    ("IN", "IND", "India"),
    ("IO", "IOT", "British Indian Ocean Territory|Diego Garcia"),
    ("IQ", "IRQ", "Iraq"),
    ("IR", "IRN", "Iran|Islamic Republic of Iran|Iran Islamic Republic of"),
    ("IS", "ISL", "Iceland"),
    ("IT", "ITA", "Italy|Italian Republic"),
    ("JE", "JEY", "Jersey"),
    ("JM", "JAM", "Jamaica"),
    ("JO", "JOR", "Jordan|Hashemite Kingdom of Jordan"),
    ("JP", "JPN", "Japan"),
    ("KE", "KEN", "Kenya"),
    ("KG", "KGZ", "Kyrgyzstan|Kyrgyz Republic|Kirghizia|Kirgizstan"),
    ("KH", "KHM", "Cambodia"),
    ("KI", "KIR", "Kiribati"),
    ("KM", "COM", "Comoros|Union of the Comoros|Comoro Islands"),
    ("KN", "KNA", "Saint Kitts and Nevis|Saint Kitts"),
    ("KP", "PRK", "North Korea|Democratic People's Republic of Korea|Korea Democratic People's Republic of|DPRK"),
    ("KR", "KOR", "South Korea|Republic of Korea|Korea Republic of|Korea|Korea South"),
    ("KW", "KWT", "Kuwait|State of Kuwait"),
    ("KY", "CYM", "Cayman Islands"),
    ("KZ", "KAZ", "Kazakhstan|Kazakstan"),
    ("LA", "LAO", "Laos|Lao People's Democratic Republic"),
    ("LB", "LBN", "Lebanon|Lebanese Republic"),
    ("LC", "LCA", "Saint Lucia"),
    ("LI", "LIE", "Liechtenstein|Principality of Liechtenstein"),
    ("LK", "LKA", "Sri Lanka|Democratic Socialist Republic of Sri Lanka"),
    ("LR", "LBR", "Liberia"),
    ("LS", "LSO", "Lesotho"),
    ("LT", "LTU", "Lithuania"),
    ("LU", "LUX", "Luxembourg|Grand Duchy of Luxembourg"),
    ("LV", "LVA", "Latvia"),
    ("LY", "LBY", "Libya|Libyan Arab Jamahiriya"),
    ("MA", "MAR", "Morocco"),
    ("MC", "MCO", "Monaco|Principality of Monaco"),
    ("MD", "MDA", "Moldova|Moldova Republic of"),
    ("ME", "MNE", "Montenegro"),
    ("MF", "MAF", "Saint Martin|Saint Martin French part"),
    ("MG", "MDG", "Madagascar"),
    ("MH", "MHL", "Marshall Islands"),
    ("MK", "MKD", "North Macedonia|Macedonia|FYROM|Former Yugoslav Republic of Macedonia"),
    ("ML", "MLI", "Mali"),
    ("MM", "MMR", "Myanmar|Burma|Myanmar Burma"),
    ("MN", "MNG", "Mongolia"),
    ("MO", "MAC", "Macao|Macao Special Administrative Region of China|Macau|Macao SAR|Macau SAR|Macao SAR China"),
    ("MP", "MNP", "Northern Mariana Islands|Commonwealth of the Northern Mariana Islands|Northern Marianas|Saipan"),
    ("MQ", "MTQ", "Martinique"),
    ("MR", "MRT", "Mauritania|Islamic Republic of Mauritania"),
    ("MS", "MSR", "Montserrat"),
    ("MT", "MLT", "Malta"),
    ("MU", "MUS", "Mauritius"),
    ("MV", "MDV", "Maldives"),
    ("MW", "MWI", "Malawi"),
    ("MX", "MEX", "Mexico|United Mexican States"),
    ("MY", "MYS", "Malaysia"),
    ("MZ", "MOZ", "Mozambique"),
    ("NA", "NAM", "Namibia"),
    ("NC", "NCL", "New Caledonia"),
    ("NE", "NER", "Niger"),
    ("NF", "NFK", "Norfolk Island"),
    ("NG", "NGA", "Nigeria|Federal Republic of Nigeria"),
    ("NI", "NIC", "Nicaragua"),
    ("NL", "NLD", "Netherlands|Holland"),
    ("NO", "NOR", "Norway"),
    ("NP", "NPL", "Nepal|Federal Democratic Republic of Nepal"),
    ("NR", "NRU", "Nauru"),
    ("NU", "NIU", "Niue"),
    ("NZ", "NZL", "New Zealand|Aotearoa"),
    ("OM", "OMN", "Oman|Sultanate of Oman"),
    ("PA", "PAN", "Panama"),
    ("PE", "PER", "Peru"),
    ("PF", "PYF", "French Polynesia|Tahiti"),
    ("PG", "PNG", "Papua New Guinea|Independent State of Papua New Guinea|PNG"),
    ("PH", "PHL", "Philippines"),
    ("PK", "PAK", "Pakistan|Islamic Republic of Pakistan"),
    ("PL", "POL", "Poland"),
    ("PM", "SPM", "Saint Pierre and Miquelon|Saint Pierre"),
    ("PR", "PRI", "Puerto Rico"),
    ("PS", "PSE", "Palestine|State of Palestine|Palestine State of|Palestinian Territories|Palestinian Territory"),
    ("PT", "PRT", "Portugal|Portuguese Republic"),
    ("PW", "PLW", "Palau"),
    ("PY", "PRY", "Paraguay"),
    ("QA", "QAT", "Qatar|State of Qatar"),
    ("RE", "REU", "Réunion|Reunion Island"),
    ("RO", "ROU", "Romania"),
    ("RS", "SRB", "Serbia"),
    ("RU", "RUS", "Russian Federation|Russia"),
    ("RW", "RWA", "Rwanda|Rwandese Republic"),
    ("SA", "SAU", "Saudi Arabia|KSA"),
    ("SB", "SLB", "Solomon Islands"),
    ("SC", "SYC", "Seychelles"),
    ("SD", "SDN", "Sudan"),
    ("SE", "SWE", "Sweden"),
    ("SG", "SGP", "Singapore"),
    ("SH", "SHN", "Saint Helena|Saint Helena Ascension and Tristan da Cunha"),
    ("SI", "SVN", "Slovenia"),
    ("SJ", "SJM", "Svalbard and Jan Mayen|Svalbard"),
    ("SK", "SVK", "Slovakia|Slovak Republic"),
    ("SL", "SLE", "Sierra Leone"),
    ("SM", "SMR", "San Marino"),
    ("SN", "SEN", "Senegal"),
    ("SO", "SOM", "Somalia|Federal Republic of Somalia"),
    ("SR", "SUR", "Suriname"),
    ("SS", "SSD", "South Sudan"),
    ("ST", "STP", "Sao Tome and Principe|Democratic Republic of Sao Tome and Principe|Sao Tome"),
    ("SV", "SLV", "El Salvador"),
    ("SX", "SXM", "Sint Maarten|Sint Maarten Dutch part"),
    ("SY", "SYR", "Syria|Syrian Arab Republic"),
    ("SZ", "SWZ", "Eswatini|Swaziland"),
    ("TA", "TAA", "Tristan da Cunha"),
    ("TC", "TCA", "Turks and Caicos Islands|Turks and Caicos"),
    ("TD", "TCD", "Chad"),
    ("TG", "TGO", "Togo|Togolese Republic"),
    ("TH", "THA", "Thailand"),
    ("TJ", "TJK", "Tajikistan"),
    ("TK", "TKL", "Tokelau"),
    ("TL", "TLS", "Timor-Leste|Democratic Republic of Timor-Leste|East Timor"),
    ("TM", "TKM", "Turkmenistan"),
    ("TN", "TUN", "Tunisia"),
    ("TO", "TON", "Tonga"),
    ("TR", "TUR", "Türkiye|Turkey|Turkey Türkiye"),
    ("TT", "TTO", "Trinidad and Tobago|Trinidad|Tobago"),
    ("TV", "TUV", "Tuvalu"),
    ("TW", "TWN", "Taiwan|Taiwan Province of China|Republic of China|Taiwan ROC|Chinese Taipei"),
    ("TZ", "TZA", "Tanzania|United Republic of Tanzania|Tanzania United Republic of|Zanzibar"),
    ("UA", "UKR", "Ukraine"),
    ("UG", "UGA", "Uganda"),
    ("US", "USA", "United States|United States of America|America"),
    ("UY", "URY", "Uruguay|Eastern Republic of Uruguay"),
    ("UZ", "UZB", "Uzbekistan"),
    ("VA", "VAT", "Holy See|Holy See Vatican City State|Vatican|Vatican City|Vatican City State"),
    ("VC", "VCT", "Saint Vincent and the Grenadines|Saint Vincent"),
    ("VE", "VEN", "Venezuela|Bolivarian Republic of Venezuela|Venezuela Bolivarian Republic of"),
    ("VG", "VGB", "British Virgin Islands|Virgin Islands British|BVI"),
    ("VI", "VIR", "U.S. Virgin Islands|Virgin Islands U.S.|Virgin Islands of the United States|United States Virgin Islands|USVI"),
    ("VN", "VNM", "Vietnam|Socialist Republic of Viet Nam"),
    ("VU", "VUT", "Vanuatu"),
    ("WF", "WLF", "Wallis and Futuna|Wallis"),
    ("WS", "WSM", "Samoa|Independent State of Samoa|Western Samoa"),
    ("XK", "XKX", "Kosovo"),
    ("YE", "YEM", "Yemen"),
    ("YT", "MYT", "Mayotte"),
    ("ZA", "ZAF", "South Africa"),
    ("ZM", "ZMB", "Zambia"),
    ("ZW", "ZWE", "Zimbabwe"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn alpha2(text: &str) -> Option<&'static str> {
        Region::from_text(text).map(Region::alpha2)
    }

    #[test]
    fn codes_of_two_and_three_letters_in_any_case() {
        assert_eq!(alpha2("GB"), Some("GB"));
        assert_eq!(alpha2(" de "), Some("DE"));
        assert_eq!(alpha2("Deu"), Some("DE"));
        assert_eq!(alpha2("USA"), Some("US"));
        assert_eq!(alpha2("U.S.A."), Some("US"));
        assert_eq!(alpha2("UK"), Some("GB"));
        assert_eq!(alpha2("U.K."), Some("GB"));
    }

    #[test]
    fn english_names_whatever_the_case_accents_and_small_words() {
        let cases = [
            ("United Kingdom", "GB"),
            ("great britain", "GB"),
            ("The Netherlands", "NL"),
            ("South Korea", "KR"),
            ("Republic of Korea", "KR"),
            ("Korea, Republic of", "KR"),
            ("North Korea", "KP"),
            ("Côte d'Ivoire", "CI"),
            ("cote d’ivoire", "CI"),
            ("Ivory Coast", "CI"),
            ("Türkiye", "TR"),
            ("Turkiye", "TR"),
            ("TURKEY", "TR"),
            ("Turkey (Türkiye)", "TR"),
            ("Cura\u{63}\u{327}ao", "CW"),
            ("St. Kitts & Nevis", "KN"),
            ("Trinidad and Tobago", "TT"),
            ("Bosnia-Herzegovina", "BA"),
            ("United States of America", "US"),
            ("Republic of Ireland", "IE"),
            ("Kingdom of Denmark", "DK"),
            ("Democratic Republic of the Congo", "CD"),
            ("Republic of the Congo", "CG"),
            ("Hong Kong S.A.R.", "HK"),
            ("Åland Islands", "AX"),
            ("Dominican Republic", "DO"),
            ("Dominica", "DM"),
            ("Guinea-Bissau", "GW"),
        ];
        for (text, expected) in cases {
            assert_eq!(alpha2(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_names_no_region_or_several_is_none() {
        for text in ["", " ", "ZZ", "XX", "001", "Congo", "Virgin Islands", "Atlantis", "GB, US", "the", "Гб"]
        {
            assert_eq!(alpha2(text), None, "{text}");
        }
        assert_eq!(alpha2(&"a".repeat(1_000_000)), None);
    }

    #[test]
    fn a_country_is_read_as_forms_shops_and_its_own_people_write_it() {
        for line in include_str!("../../tests/fixtures/countries.tsv").lines().skip(1) {
            let (text, expected) = line.split_once('\t').unwrap();
            assert_eq!(alpha2(text).unwrap_or_default(), expected, "{text}");
        }
    }

    #[test]
    fn every_foreign_name_of_the_table_means_its_country() {
        assert!(reading::foreign_names().count() > 2000);
        for (code, name) in reading::foreign_names() {
            assert_eq!(alpha2(name), Some(code), "{name}");
        }
    }

    #[test]
    fn every_region_of_the_phone_metadata_has_one_row_and_no_name_means_two() {
        let mut planned: Vec<&str> =
            phonenumber::metadata::DATABASE.iter().map(phonenumber::Metadata::id).collect();
        planned.retain(|id| *id != "001");
        planned.sort_unstable();
        let rows: Vec<&str> = REGIONS.iter().map(|(alpha2, ..)| *alpha2).collect();
        assert_eq!(rows, planned);
        for (alpha2, alpha3, names) in REGIONS {
            for name in [*alpha2, *alpha3].into_iter().chain(names.split('|')) {
                assert_eq!(Region::from_text(name), Some(Region(alpha2)), "{name}");
            }
        }
    }
}

//! What the usual consent tools write, as data: how each is recognised, its names for advertising and marketing, and
//! what tells that nobody has chosen yet.
//!
//! Data alone; what is done with it is in `shapes`. A tool more is an entry more, and a case more in
//! `tests/fixtures/consent_vendors.json`.

/// What is known of a consent tool.
pub(super) struct Vendor {
    /// Its name, as it is shown.
    pub name: &'static str,
    /// Keys of which one is enough to recognise it; lower case, a `*` at the end stands for any rest.
    pub marks: &'static [&'static str],
    /// Its own codes, without spaces, `_` and `-`, and the code that each means.
    pub codes: &'static [(&'static str, &'static str)],
    /// Keys with the values that tell that nobody has chosen yet, both in lower case.
    pub unchosen: &'static [(&'static str, &'static str)],
}

const ADVERTISING: &str = "advertising";
const MARKETING: &str = "marketing";

/// All of them. The first whose mark is found gives its name, so the particular ones come first.
pub(super) const VENDORS: &[Vendor] = &[
    // https://wordpress.org/plugins/complianz-gdpr/ : cookies cmplz_marketing = allow | deny
    Vendor {
        name: "Complianz",
        marks: &["cmplz_*"],
        codes: &[("cmplzmarketing", MARKETING)],
        unchosen: &[("cmplz_banner-status", "show")],
    },
    // https://github.com/WordPress/wp-consent-level-api : wp_consent_marketing = allow | deny
    Vendor {
        name: "WP Consent API",
        marks: &["wp_consent_*", "wp_consent_type"],
        codes: &[("wpconsentmarketing", MARKETING)],
        unchosen: &[],
    },
    // https://www.cookieyes.com/documentation/events-on-cookie-banner-load/ : getCkyConsent(), cookieyes-consent
    Vendor {
        name: "CookieYes",
        marks: &["isuseractioncompleted", "activelaw", "consentid", "advertisement"],
        codes: &[("advertisement", ADVERTISING)],
        unchosen: &[("isuseractioncompleted", "false"), ("action", "")],
    },
    // https://www.cookiebot.com/en/developer/ : Cookiebot.consent
    Vendor {
        name: "Cookiebot",
        marks: &["hasresponse", "method", "stamp", "cookiebot"],
        codes: &[],
        unchosen: &[
            ("hasresponse", "false"),
            ("method", "implied"),
            ("method", "null"),
            ("stamp", "-1"),
            ("stamp", "0"),
        ],
    },
    // https://docs.usercentrics.com/ : ucCategory of the event; getConsentDetails() of version 3
    Vendor {
        name: "Usercentrics",
        marks: &["uccategory", "controllerid", "dps", "ucstring"],
        codes: &[],
        unchosen: &[("type", "implicit")],
    },
    // https://docs.osano.com/javascript-api : Osano.cm.getConsent()
    Vendor { name: "Osano", marks: &["opt_out", "storage"], codes: &[], unchosen: &[] },
    // https://developers.didomi.io/cmp/web-sdk/reference/api : getUserStatus(), getCurrentUserStatus()
    Vendor {
        name: "Didomi",
        marks: &[
            "consent_string",
            "didomi_dcs",
            "addtl_consent",
            "create_ads_profile",
            "select_personalized_ads",
        ],
        codes: &[("createadsprofile", ADVERTISING), ("selectpersonalizedads", ADVERTISING)],
        unchosen: &[],
    },
    // https://www.iubenda.com/en/help/1205 : purposes 1 necessary, 2 functionality, 3 experience, 4 measurement, 5 marketing
    Vendor { name: "iubenda", marks: &["cons", "iubenda"], codes: &[], unchosen: &[] },
    // https://docs.transcend.io/docs/consent/faq : airgap.getConsent(); `confirmed` is false while defaults stand
    Vendor {
        name: "Transcend",
        marks: &["saleofinfo", "confirmed"],
        codes: &[],
        unchosen: &[("confirmed", "false")],
    },
    // https://developers.ketch.com : purposes with `allowed` and `legalBasisCode`, or a word each
    Vendor {
        name: "Ketch",
        marks: &[
            "legalbasiscode",
            "legalbasis",
            "canonicalpurposes",
            "essential_services",
            "behavioral_advertising",
        ],
        codes: &[
            ("behavioraladvertising", ADVERTISING),
            ("targetedadvertising", ADVERTISING),
            ("personalizedadvertising", ADVERTISING),
            ("emailmktg", MARKETING),
            ("emailmarketing", MARKETING),
        ],
        unchosen: &[],
    },
    // https://developer.onetrust.com : OptanonConsent `groups=C0001:1,C0004:0`, OnetrustActiveGroups
    Vendor {
        name: "OneTrust",
        marks: &[
            "groups",
            "onetrustactivegroups",
            "optanonconsent",
            "c0001",
            "c0002",
            "c0003",
            "c0004",
            "c0005",
        ],
        codes: &[("targeting", ADVERTISING), ("targetingcookies", ADVERTISING)],
        unchosen: &[("isalertboxclosed", "false"), ("alertboxclosed", "false")],
    },
    // https://github.com/InteractiveAdvertisingBureau/GDPR-Transparency-and-Consent-Framework : TCData
    Vendor {
        name: "TCF",
        marks: &["tcstring", "purpose", "iabtcf_*"],
        codes: &[],
        unchosen: &[("eventstatus", "cmpuishown"), ("cmpstatus", "loading"), ("cmpstatus", "stub")],
    },
    // https://developers.google.com/tag-platform/security/concepts/consent-mode
    Vendor {
        name: "Google Consent Mode",
        marks: &["ad_storage", "ad_user_data", "ad_personalization", "analytics_storage"],
        codes: &[],
        unchosen: &[],
    },
    // https://shopify.dev/docs/api/customer-privacy : currentVisitorConsent(), visitorConsentCollected
    Vendor {
        name: "Shopify",
        marks: &["sale_of_data", "marketingallowed", "saleofdataallowed", "email_marketing_consent"],
        codes: &[("marketingallowed", MARKETING)],
        unchosen: &[],
    },
    // https://docs.mparticle.com/developers/guides/consent-management/
    Vendor { name: "mParticle", marks: &["consented", "gdpr", "ccpa"], codes: &[], unchosen: &[] },
    // https://experienceleague.adobe.com/en/docs/experience-platform/xdm/data-types/consents
    Vendor { name: "Adobe", marks: &["val", "consents"], codes: &[], unchosen: &[] },
    // https://segment.com/docs/privacy/consent-management/
    Vendor { name: "Segment", marks: &["categorypreferences"], codes: &[], unchosen: &[] },
    // https://www.rudderstack.com/docs/data-governance/consent-management/
    Vendor {
        name: "RudderStack",
        marks: &["allowedconsentids", "deniedconsentids", "resolutionstrategy"],
        codes: &[],
        unchosen: &[],
    },
];

/// Codes of the usual tools for everything but marketing. A block of these alone was understood: it speaks of something
/// else. Without spaces, `_` and `-`.
pub(super) const OTHERS: &[&str] = &[
    "adpersonalization",
    "adstorage",
    "aduserdata",
    "advertisement",
    "advertising",
    "analytics",
    "analyticsstorage",
    "c0001",
    "c0002",
    "c0003",
    "c0004",
    "c0005",
    "datasharing",
    "email",
    "essential",
    "essentialservices",
    "experience",
    "functional",
    "functionality",
    "functionalitystorage",
    "marketing",
    "measurement",
    "necessary",
    "optout",
    "other",
    "performance",
    "personalization",
    "personalizationstorage",
    "preferences",
    "saleofdata",
    "saleofinfo",
    "securitystorage",
    "sms",
    "socialmedia",
    "statistics",
    "storage",
    "strictlynecessary",
    "unclassified",
    "uncategorized",
];

/// Where in an event, beside its blocks of consent, a tool's state of email marketing stands. Of Shopify's customer:
/// <https://shopify.dev/docs/api/admin-rest/latest/resources/customer#resource-object>.
pub(super) const PLACES: &[(&str, &str)] = &[
    ("traits.email_marketing_consent", MARKETING),
    ("traits.emailMarketingConsent", MARKETING),
    ("properties.email_marketing_consent", MARKETING),
    ("properties.emailMarketingConsent", MARKETING),
    ("properties.customer.email_marketing_consent", MARKETING),
    ("properties.customer.emailMarketingConsent", MARKETING),
];

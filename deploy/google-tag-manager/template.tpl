___INFO___

{
  "type": "TAG",
  "id": "freshsignal",
  "version": 1,
  "securityGroups": [],
  "displayName": "freshsignal",
  "brand": { "id": "freshsignal", "displayName": "freshsignal" },
  "description": "Loads the freshsignal tag, and calls identify, track, page, group, consent or reset on it.",
  "containerContexts": ["WEB"]
}


___TEMPLATE_PARAMETERS___

[
  {
    "type": "TEXT",
    "name": "address",
    "displayName": "Address of your freshsignal",
    "help": "https://events.example.com, without a slash at its end",
    "simpleValueType": true,
    "valueValidators": [{ "type": "REGEX", "args": ["^https://[^/?#]+(/[^?#]*[^/?#])?$"], "errorMessage": "https:// and a host; no slash at the end" }]
  },
  {
    "type": "TEXT",
    "name": "writeKey",
    "displayName": "Write key of the source",
    "simpleValueType": true,
    "valueValidators": [{ "type": "NON_EMPTY" }]
  },
  {
    "type": "SELECT",
    "name": "call",
    "displayName": "Call",
    "simpleValueType": true,
    "defaultValue": "load",
    "selectItems": [
      { "value": "load", "displayValue": "load: only loads the tag, which sends one page view" },
      { "value": "identify", "displayValue": "identify: who the visitor is" },
      { "value": "track", "displayValue": "track: something happened" },
      { "value": "page", "displayValue": "page: a further page view" },
      { "value": "group", "displayValue": "group: the company of the visitor" },
      { "value": "consent", "displayValue": "consent: the visitor chose" },
      { "value": "reset", "displayValue": "reset: the visitor logged out" }
    ]
  },
  {
    "type": "TEXT",
    "name": "name",
    "displayName": "Name of the event, id of the user or of the group",
    "help": "track: Lead Generated. identify and group: the id, or nothing",
    "simpleValueType": true,
    "enablingConditions": [
      { "paramName": "call", "paramValue": "identify", "type": "EQUALS" },
      { "paramName": "call", "paramValue": "track", "type": "EQUALS" },
      { "paramName": "call", "paramValue": "group", "type": "EQUALS" }
    ]
  },
  {
    "type": "SIMPLE_TABLE",
    "name": "fields",
    "displayName": "Traits, properties or categories",
    "help": "email, name, phone; value, currency; marketing = true",
    "simpleTableColumns": [
      { "name": "key", "displayName": "Name", "type": "TEXT", "defaultValue": "" },
      { "name": "value", "displayName": "Value", "type": "TEXT", "defaultValue": "" }
    ]
  }
]


___SANDBOXED_JS_FOR_WEB_TEMPLATE___

const createQueue = require('createQueue');
const encodeUriComponent = require('encodeUriComponent');
const injectScript = require('injectScript');
const makeTableMap = require('makeTableMap');

// Calls wait in this list until the script has loaded, and reach it afterwards.
const push = createQueue('datafly');
const table = data.fields && data.fields.length ? makeTableMap(data.fields, 'key', 'value') : {};
// The table holds only texts, but consent needs true and false.
const fields = {};
for (const key in table) {
  fields[key] = table[key] === 'true' ? true : table[key] === 'false' ? false : table[key];
}

if (data.call === 'identify') push(data.name ? ['identify', data.name, fields] : ['identify', fields]);
if (data.call === 'track') push(['track', data.name, fields]);
if (data.call === 'page') push(['page', fields]);
if (data.call === 'group') push(['group', data.name, fields]);
if (data.call === 'consent') push(['consent', fields]);
if (data.call === 'reset') push(['reset']);

// The same address loads once, however many tags of the container name it.
const script = data.address + '/tag.js?writeKey=' + encodeUriComponent(data.writeKey);
injectScript(script, data.gtmOnSuccess, data.gtmOnFailure, script);


___WEB_PERMISSIONS___

[
  {
    "instance": {
      "key": { "publicId": "access_globals", "versionId": "1" },
      "param": [
        {
          "key": "keys",
          "value": {
            "type": 2,
            "listItem": [
              {
                "type": 3,
                "mapKey": [
                  { "type": 1, "string": "key" },
                  { "type": 1, "string": "read" },
                  { "type": 1, "string": "write" },
                  { "type": 1, "string": "execute" }
                ],
                "mapValue": [
                  { "type": 1, "string": "datafly" },
                  { "type": 8, "boolean": true },
                  { "type": 8, "boolean": true },
                  { "type": 8, "boolean": false }
                ]
              }
            ]
          }
        }
      ]
    },
    "clientAnnotations": { "isEditedByUser": true },
    "isRequired": true
  },
  {
    "instance": {
      "key": { "publicId": "inject_script", "versionId": "1" },
      "param": [
        { "key": "urls", "value": { "type": 2, "listItem": [{ "type": 1, "string": "https://*/*" }] } }
      ]
    },
    "clientAnnotations": { "isEditedByUser": true },
    "isRequired": true
  }
]


___TESTS___

scenarios: []


___NOTES___

docs/how-to/google-tag-manager.md of freshsignal explains it.

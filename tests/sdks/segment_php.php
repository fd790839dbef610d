<?php
// Sends as analytics-php 3.8 does, over plain HTTP. This script is the project's own; the library itself is not run.
// What it sends: https://github.com/segmentio/analytics-php, lib/Client.php, lib/Consumer/QueueConsumer.php and
// lib/Consumer/LibCurl.php of 3.8.2. What it is told comes in the environment.

const LIBRARY = ['name' => 'analytics-php', 'version' => '3.8.2', 'consumer' => 'LibCurl'];
const FIRST_PAUSE_MS = 100;
/** Once a pause would be as long, the batch is dropped. */
const PAUSE_END_MS = 10_000;

function uuid(): string
{
    $hex = bin2hex(random_bytes(16));
    $hex[12] = '4';
    $hex[16] = '89ab'[random_int(0, 3)];
    $ends = [0 => 8, 8 => 4, 12 => 4, 16 => 4, 20 => 12];
    return implode('-', array_map(fn($from) => substr($hex, $from, $ends[$from]), array_keys($ends)));
}

/** An event, at its whole second. */
function event(string $type, string $user, array $own, array $context = []): array
{
    $common = ['context' => ['library' => LIBRARY] + $context, 'timestamp' => date('c'), 'messageId' => uuid()];
    return ['userId' => $user] + $own + $common + ['type' => $type];
}

/** The status of the answer; null where none came. */
function status(string $url, string $key, string $body): ?int
{
    $headers = [
        'Authorization: Basic ' . base64_encode("$key:"),
        'Accept: */*',
        'Content-Type: application/json',
        'User-Agent: ' . LIBRARY['name'] . '/' . LIBRARY['version'],
    ];
    $asked = ['method' => 'POST', 'header' => $headers, 'content' => $body, 'ignore_errors' => true];
    $answer = @fopen($url, 'r', false, stream_context_create(['http' => $asked]));
    if ($answer === false) {
        return null;
    }
    return (int) explode(' ', stream_get_meta_data($answer)['wrapper_data'][0])[1];
}

$people = json_decode(getenv('SDK_PEOPLE'), true);
$first = array_shift($people);
$user = $first['userId'];
$consent = ['consent' => ['categoryPreferences' => ['marketing' => true]]];
$batch = [
    event('identify', $user, ['traits' => $first['traits']], $consent),
    event('track', $user, ['event' => 'Lead Generated', 'properties' => ['value' => 0]]),
    event('page', $user, ['name' => 'Pricing', 'properties' => ['path' => '/pricing']]),
    event('group', $user, ['groupId' => 'globex', 'traits' => ['name' => 'Globex']]),
];
foreach ($people as $person) {
    $batch[] = event('identify', $person['userId'], ['traits' => $person['traits']], $consent);
}

// The same body goes again after 429 and 5xx. What gets no answer is dropped; Retry-After is not looked at.
$body = json_encode(['batch' => $batch, 'sentAt' => date('c')]);
for ($pause = FIRST_PAUSE_MS; $pause < PAUSE_END_MS; $pause *= 2) {
    $status = status(getenv('SDK_HOST') . '/v1/batch', getenv('SDK_KEY'), $body);
    if ($status === null || ($status < 500 && $status !== 429)) {
        break;
    }
    usleep($pause * 1000);
}

<?php
// Drives analytics-php as its users do. What it is told comes in the environment.
spl_autoload_register(function (string $class): void {
    require __DIR__ . '/vendor/analytics-php/lib/' . str_replace(['Segment\\', '\\'], ['', '/'], $class) . '.php';
});
require __DIR__ . '/vendor/analytics-php/lib/Version.php';

use Segment\Segment;

// The SDK's consumer speaks HTTPS alone, and the service under test plain HTTP.
class PlainLibCurl extends \Segment\Consumer\LibCurl
{
    protected string $protocol = 'http://';
}

$host = substr(getenv('SDK_HOST'), strlen('http://'));
$key = getenv('SDK_KEY');
$people = json_decode(getenv('SDK_PEOPLE'), true);

Segment::init($key, ['host' => $host, 'consumer' => PlainLibCurl::class]);

$first = array_shift($people);
$user = $first['userId'];
$context = ['consent' => ['categoryPreferences' => ['marketing' => true]]];
Segment::identify(['userId' => $user, 'traits' => $first['traits'], 'context' => $context]);
Segment::track(['userId' => $user, 'event' => 'Lead Generated', 'properties' => ['value' => 0]]);
Segment::page(['userId' => $user, 'name' => 'Pricing', 'properties' => ['path' => '/pricing']]);
Segment::group(['userId' => $user, 'groupId' => 'globex', 'traits' => ['name' => 'Globex']]);
foreach ($people as $person) {
    Segment::identify(['userId' => $person['userId'], 'traits' => $person['traits'], 'context' => $context]);
}
Segment::flush();

<?php
// Which release PHP runs: nginx answers /zdd-release with this, and zdd asks for it after the switch.
header('Content-Type: text/plain');
echo basename(dirname(__DIR__)), "\n";

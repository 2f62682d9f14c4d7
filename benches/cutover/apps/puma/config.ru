# The site of `examples/instance` for puma.
RELEASE = File.basename(File.realpath(__dir__))
VERSION = File.read(File.join(__dir__, 'VERSION')).strip

run(lambda do |env|
  received = 0
  while (piece = env['rack.input'].read(65_536))
    received += piece.bytesize
  end
  path = env['PATH_INFO']
  sleep(env['QUERY_STRING'][/ms=(\d+)/, 1].to_i / 1000.0) if path == '/slow'
  headers = { 'Content-Type' => 'text/plain', 'X-Release' => RELEASE, 'X-Received' => received.to_s }
  [200, headers, ["#{'ok ' if path == '/health'}#{VERSION}\n"]]
end)

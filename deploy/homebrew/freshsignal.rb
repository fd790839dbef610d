# Homebrew's formula, built from source: scripts/release fills in address and checksum.
class Freshsignal < Formula
  desc "Keeps the contacts of a Freshsales account current from customer events"
  homepage "@BASE@"
  url "@URL@"
  sha256 "@SHA256@"
  license "Apache-2.0"

  depends_on "rust" => :build

  def install
    system "cargo", "install", *std_cargo_args
    pkgshare.install "config", "deploy", "docs"
  end

  service do
    run [opt_bin/"freshsignal", "serve", "--config", etc/"freshsignal.toml"]
    keep_alive successful_exit: false
    working_dir var/"freshsignal"
  end

  test do
    system bin/"freshsignal", "demo", "--once", "--port", "0"
  end
end

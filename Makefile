# Thin: what each target does stands in scripts/.
.PHONY: demo test check bench generate

# The whole flow on a made-up drive, or on one's own folder: make demo DRIVE=/path [QUERY=words]
demo:
	@QUERY="$(QUERY)" scripts/demo "$(DRIVE)"

# Everything that CI runs.
test:
	@scripts/test

# Format, lints, advisories and licenses, documentation.
check:
	@scripts/setup
	cargo fmt --check
	cargo clippy --all-targets --features crash-points -- -D warnings
	cargo clippy --no-default-features -- -D warnings
	@if cargo deny --version >/dev/null 2>&1; then cargo deny check; else echo "cargo-deny is not here: cargo install cargo-deny"; fi
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --lib

# Man pages, completions, JSON schemas.
generate:
	cargo run --quiet --bin damctl -- generate .

# Measures the promises of the README against their peers: minutes, and about 40 GB of scratch in BENCH_DIR.
bench:
	@scripts/setup bench
	@benches/run

//! Real servers, fake tools and conformance suites.

//! Traces as OpenTelemetry has them: a span for each request of a client, below it one for each request to a workspace, sent to a
//! collector over OTLP. Off unless `--otlp` asks for it.
//!
//! A span tells what was called and what came of it, by names of this binary alone: no argument, no answer, no text of an error, no
//! credential. The queue before the collector is bounded: a collector that does not take spans makes nobody wait, and what it
//! misses is counted.

mod delivery;
mod span;

use std::sync::Arc;
use std::time::Duration;

use databricks::{Deliveries, Environment};
use http::Uri;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, SpanExporter as _};
use prometheus_client::metrics::counter::Counter;

use crate::error::Error;
use delivery::{Collector, Outbox};

pub(crate) use span::{CallSpan, Caller, Carried};

/// Where a collector listens unless it is said.
const ENDPOINT: &str = "http://localhost:4318";
/// Where it takes traces.
const PATH: &str = "v1/traces";
/// The one form of OTLP that is spoken.
const PROTOCOL: &str = "http/protobuf";
const NAME: &str = env!("CARGO_PKG_NAME");
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where spans go; cheap to clone. By default, nowhere.
#[derive(Debug, Clone, Default)]
pub struct Traces(Option<Arc<Open>>);

#[derive(Debug)]
struct Open {
    tracer: SdkTracer,
    outbox: Outbox,
}

impl Traces {
    /// Traces to the collector that the standard variables of OpenTelemetry name. `dropped` counts the spans that it does not get.
    ///
    /// # Errors
    /// When a variable asks for what cannot be done.
    pub(crate) fn open(environment: &Environment, dropped: Counter) -> Result<Self, Error> {
        let is_on =
            |name: &str, value: &str| environment.variable(name).is_some_and(|found| found.eq_ignore_ascii_case(value));
        if is_on("OTEL_SDK_DISABLED", "true") || is_on("OTEL_TRACES_EXPORTER", "none") {
            return Ok(Self::default());
        }
        for name in ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"] {
            if let Some(protocol) = environment.variable(name).filter(|protocol| protocol != PROTOCOL) {
                let message = format!("{name} is `{protocol}`, and traces are sent as `{PROTOCOL}`");
                return Err(
                    Error::failed(message).with_hint("collectors take it on port 4318; set the variables for it")
                );
            }
        }
        let (variable, address) = address(environment);
        let failed = |error: &dyn std::fmt::Display| {
            Error::failed(format!("traces cannot be sent to the collector of {variable}: {error}"))
        };
        let deliveries = Deliveries::to(&address).map_err(|error| failed(&error))?;
        // The exporter would repeat it.
        address.parse::<Uri>().map_err(|_| failed(&"the address has characters that none has"))?;
        if !deliveries.is_private() {
            tracing::warn!("traces go over the network as clear text, as {variable} begins with `http://`");
        }
        let exporter = SpanExporter::builder().with_http().with_http_client(Collector(deliveries));
        let mut exporter = exporter.with_endpoint(address).build().map_err(|error| failed(&error))?;
        let resource = resource(environment);
        exporter.set_resource(&resource);
        let outbox = Outbox::open(exporter, dropped);
        let provider = SdkTracerProvider::builder().with_resource(resource).with_span_processor(outbox.clone()).build();
        Ok(Self(Some(Arc::new(Open { tracer: provider.tracer(NAME), outbox }))))
    }

    /// A span for a request of a client, by its method and, where it has one, by what it is about. `carried` is what may name the
    /// span above: the first that does is believed.
    pub(crate) fn begin(
        &self,
        method: &'static str,
        target: Option<&'static str>,
        caller: Caller<'_>,
        carried: &[Carried<'_>],
    ) -> CallSpan {
        match &self.0 {
            Some(open) => CallSpan::begin(&open.tracer, method, target, caller, carried),
            None => CallSpan::default(),
        }
    }

    /// Whether anything is traced.
    pub(crate) fn are_on(&self) -> bool {
        self.0.is_some()
    }

    /// Delivers what has ended, within this time.
    pub(crate) async fn finish(&self, limit: Duration) {
        if let Some(open) = &self.0 {
            open.outbox.finish(limit).await;
        }
    }
}

/// Where traces are taken, and the variable that says it.
fn address(environment: &Environment) -> (&'static str, String) {
    const OF_TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
    const OF_ALL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    match environment.variable(OF_TRACES) {
        Some(address) => (OF_TRACES, address),
        None => {
            let base = environment.variable(OF_ALL).unwrap_or_else(|| ENDPOINT.to_owned());
            (OF_ALL, format!("{}/{PATH}", base.trim_end_matches('/')))
        }
    }
}

/// Who sends the spans: this program, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES say more.
fn resource(environment: &Environment) -> Resource {
    let instance = uuid::Uuid::new_v4().to_string();
    let own = [("service.name", NAME), ("service.version", VERSION), ("service.instance.id", &instance)];
    let resource = Resource::builder_empty()
        .with_attributes(own.map(|(name, value)| KeyValue::new(name, value.to_owned())))
        .with_detectors(&[Box::new(TelemetryResourceDetector), Box::new(EnvResourceDetector::new())]);
    match environment.variable("OTEL_SERVICE_NAME") {
        Some(name) => resource.with_service_name(name).build(),
        None => resource.build(),
    }
}

#[cfg(test)]
mod tests {
    use databricks::Environment;
    use prometheus_client::metrics::counter::Counter;

    use super::{Traces, address};

    fn environment(variables: &'static [(&str, &str)]) -> Environment {
        Environment::default().with_variables(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_address_is_that_of_traces_or_below_that_of_all() {
        for (variables, expected) in [
            (&[][..], "http://localhost:4318/v1/traces"),
            (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c.test/")][..], "https://c.test/v1/traces"),
            (
                &[("OTEL_EXPORTER_OTLP_ENDPOINT", "x"), ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://t.test/x")][..],
                "https://t.test/x",
            ),
        ] {
            assert_eq!(address(&environment(variables)).1, expected);
        }
    }

    #[tokio::test]
    async fn what_cannot_be_done_is_refused_and_no_address_is_repeated() {
        let open = |variables| {
            let traces = Traces::open(&environment(variables), Counter::default());
            traces.map(|traces| traces.are_on()).map_err(|error| error.to_string())
        };
        assert_eq!(open(&[]), Ok(true));
        assert_eq!(open(&[("OTEL_SDK_DISABLED", "true")]), Ok(false));
        assert_eq!(open(&[("OTEL_TRACES_EXPORTER", "none")]), Ok(false));
        let refused = open(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
        assert!(refused.is_err_and(|error| error.contains("`grpc`, and traces are sent as `http/protobuf`")));
        for wrong in [
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector-secret:4318")][..],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://secret")][..],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://me:secret@c.test/\u{e9} x")][..],
        ] {
            let error = open(wrong).expect_err("refused");
            assert!(error.contains("OTEL_EXPORTER_OTLP_ENDPOINT") && !error.contains("secret"), "{error}");
        }
    }
}

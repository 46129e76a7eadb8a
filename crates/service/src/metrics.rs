//! Declaring metrics: a line each, which names, explains and registers it.
//!
//! Names and units follow Prometheus' conventions: the program's name first, base units, counters end in `_total`.

use std::fmt;
use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;
use prometheus::{
    Error, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
};

use crate::serve::{Census, Refused};

/// Declares the metrics of one program into one registry. Every declaration fails when the name or a label is not valid, or
/// the name is taken: a defect that every start meets.
#[derive(Clone, Debug)]
pub struct Declarations {
    registry: Registry,
    program: &'static str,
}

impl Declarations {
    /// Those of `program`, whose name all of them begin with. Declares `<program>_build_info`, and `process_*`.
    ///
    /// # Errors
    /// See [`Declarations`]; so everywhere here.
    pub fn new(program: &'static str, version: &str) -> Result<Self, Error> {
        let declared = Self { registry: Registry::new(), program };
        declared.registry.register(Box::new(ProcessCollector::for_self()))?;
        let build = declared.gauges("build_info", "Always 1; the version is the label.", &["version"])?;
        build.with_label_values(&[version]).set(1);
        Ok(declared)
    }

    /// What was declared.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Something that only grows.
    ///
    /// # Errors
    /// See [`Declarations`].
    pub fn counter(&self, name: &str, help: &str) -> Result<IntCounter, Error> {
        self.add(IntCounter::with_opts(self.opts(name, help))?)
    }

    /// The same, by labels.
    ///
    /// # Errors
    /// See [`Declarations`].
    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, Error> {
        self.add(IntCounterVec::new(self.opts(name, help), labels)?)
    }

    /// Something that comes and goes.
    ///
    /// # Errors
    /// See [`Declarations`].
    pub fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, Error> {
        self.add(IntGauge::with_opts(self.opts(name, help))?)
    }

    /// The same, by labels.
    ///
    /// # Errors
    /// See [`Declarations`].
    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, Error> {
        self.add(IntGaugeVec::new(self.opts(name, help), labels)?)
    }

    /// How often something was how large; in seconds, mostly.
    ///
    /// # Errors
    /// See [`Declarations`].
    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, Error> {
        self.add(Histogram::with_opts(self.buckets(name, help, buckets))?)
    }

    /// The same, by labels.
    ///
    /// # Errors
    /// See [`Declarations`].
    pub fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> Result<HistogramVec, Error> {
        self.add(HistogramVec::new(self.buckets(name, help, buckets), labels)?)
    }

    /// A gauge that is read when it is asked for: a value for each value of `label`.
    ///
    /// # Errors
    /// See [`Declarations`].
    pub fn read(
        &self,
        name: &str,
        help: &str,
        label: &str,
        values: impl Fn() -> Vec<(String, f64)> + Send + Sync + 'static,
    ) -> Result<(), Error> {
        let gauges = GaugeVec::new(self.opts(name, help), &[label])?;
        self.registry.register(Box::new(Read { gauges, values: Arc::new(values) }))
    }

    fn add<C: Collector + Clone + 'static>(&self, metric: C) -> Result<C, Error> {
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn opts(&self, name: &str, help: &str) -> Opts {
        Opts::new(name, help).namespace(self.program)
    }

    fn buckets(&self, name: &str, help: &str, buckets: &[f64]) -> HistogramOpts {
        HistogramOpts::new(name, help).namespace(self.program).buckets(buckets.to_vec())
    }
}

/// A gauge that is read when it is asked for.
struct Read {
    gauges: GaugeVec,
    values: Arc<dyn Fn() -> Vec<(String, f64)> + Send + Sync>,
}

impl Collector for Read {
    fn desc(&self) -> Vec<&Desc> {
        self.gauges.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        for (label, value) in (self.values)() {
            self.gauges.with_label_values(&[label]).set(value);
        }
        self.gauges.collect()
    }
}

/// Counts a listener's connections.
#[derive(Clone)]
pub struct Connections {
    /// How many are open.
    pub open: IntGauge,
    /// How many were refused, by reason.
    pub refused: IntCounterVec,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} open", self.open.get())
    }
}

impl Census for Connections {
    fn opened(&self) {
        self.open.inc();
    }

    fn closed(&self) {
        self.open.dec();
    }

    fn refused(&self, why: Refused) {
        self.refused.with_label_values(&[why.as_str()]).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_declared_is_named_for_the_program_and_has_its_own_process_beside_it() {
        let declared = Declarations::new("mill", "1.2.3").unwrap();
        declared.counter("sacks_total", "Sacks.").unwrap().inc();
        let ages = || vec![("north".to_owned(), 7.0)];
        declared.read("wind_seconds", "Age of the wind.", "from", ages).unwrap();
        let text = prometheus::TextEncoder::new().encode_to_string(&declared.registry().gather()).unwrap();
        for line in [
            "# HELP mill_sacks_total Sacks.",
            "mill_sacks_total 1",
            "mill_wind_seconds{from=\"north\"} 7",
            "mill_build_info{version=\"1.2.3\"} 1",
            "# TYPE process_cpu_seconds_total counter",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        assert!(declared.counter("sacks_total", "Others.").is_err(), "a name is taken once");
    }
}

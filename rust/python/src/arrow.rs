//! Messages as columns, for pyarrow, polars, pandas and duckdb.
//!
//! They are handed over by Arrow's C data interface in PyCapsules: whoever reads them shares the memory, and
//! neither side imports the other.

use std::ffi::CStr;
use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, TimestampMillisecondBuilder,
    UInt8Builder,
};
use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchIterator, StructArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use hookmq_rules::{Fields, Path, Value};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::hooks::parcel::Observed;

const SCHEMA: &CStr = c"arrow_schema";
const ARRAY: &CStr = c"arrow_array";
const STREAM: &CStr = c"arrow_array_stream";

/// Messages as columns: `time` (milliseconds, UTC), `topic`, `client`, `qos`, `retain`, `payload`, and the JSON
/// fields that were asked for.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct ArrowBatch(RecordBatch);

#[pymethods]
impl ArrowBatch {
    /// How many messages.
    #[getter]
    fn num_rows(&self) -> usize {
        self.0.num_rows()
    }

    fn __len__(&self) -> usize {
        self.0.num_rows()
    }

    /// The names of the columns.
    #[getter]
    fn column_names(&self) -> Vec<String> {
        self.0.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    /// Arrow's schema, as its C data interface has it.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let schema = FFI_ArrowSchema::try_from(&*self.0.schema()).map_err(broken)?;
        PyCapsule::new_with_value(py, schema, SCHEMA)
    }

    /// The columns, as Arrow's C data interface has them: a schema and an array of structs.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        let _ = requested_schema; // a wish; whoever asked converts
        let array = FFI_ArrowArray::new(&StructArray::from(self.0.clone()).into_data());
        Ok((self.__arrow_c_schema__(py)?, PyCapsule::new_with_value(py, array, ARRAY)?))
    }

    /// The columns as a stream of one batch.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema;
        let one: [Result<RecordBatch, ArrowError>; 1] = [Ok(self.0.clone())];
        let reader = RecordBatchIterator::new(one, self.0.schema());
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(reader)), STREAM)
    }

    fn __repr__(&self) -> String {
        format!("<ArrowBatch {} rows: {}>", self.0.num_rows(), self.column_names().join(", "))
    }
}

fn broken(error: ArrowError) -> PyErr {
    PyRuntimeError::new_err(error.to_string())
}

/// What a JSON field is read as; what is of another kind is null.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Float,
    Int,
    Text,
    Bool,
}

impl Kind {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "float" => Self::Float,
            "int" => Self::Int,
            "str" => Self::Text,
            "bool" => Self::Bool,
            _ => return None,
        })
    }

    const fn data_type(self) -> DataType {
        match self {
            Self::Float => DataType::Float64,
            Self::Int => DataType::Int64,
            Self::Text => DataType::Utf8,
            Self::Bool => DataType::Boolean,
        }
    }
}

/// Which columns a batch has.
pub(crate) struct Columns {
    schema: SchemaRef,
    fields: Fields,
    /// Where each field's value stands, and what it is read as.
    kinds: Vec<(usize, Kind)>,
}

impl Columns {
    /// The usual columns, and one for each JSON field: its path and `float`, `int`, `str` or `bool`.
    pub(crate) fn new(wanted: &[(String, String)]) -> PyResult<Self> {
        let time = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        let mut all = vec![
            Field::new("time", time, false),
            Field::new("topic", DataType::Utf8, false),
            Field::new("client", DataType::Utf8, false),
            Field::new("qos", DataType::UInt8, false),
            Field::new("retain", DataType::Boolean, false),
            Field::new("payload", DataType::Binary, false),
        ];
        let (mut fields, mut kinds) = (Fields::default(), Vec::new());
        for (path, kind) in wanted {
            let parsed: Path =
                path.parse().map_err(|error| PyValueError::new_err(format!("field {path:?}: {error}")))?;
            let kind = Kind::named(kind).ok_or_else(|| {
                PyValueError::new_err(format!("field {path:?}: the type is float, int, str or bool"))
            })?;
            kinds.push((fields.add(&parsed), kind));
            all.push(Field::new(path, kind.data_type(), true));
        }
        Ok(Self { schema: Arc::new(Schema::new(all)), fields, kinds })
    }

    /// The columns of these messages.
    pub(crate) fn batch<'a>(
        &self,
        messages: impl ExactSizeIterator<Item = &'a Observed> + Clone,
    ) -> PyResult<ArrowBatch> {
        let rows = messages.len();
        let sizes = messages.clone().fold((0, 0, 0), |(topics, clients, payloads), one| {
            (topics + one.topic().len(), clients + one.publisher().len(), payloads + one.payload().len())
        });
        let mut time = TimestampMillisecondBuilder::with_capacity(rows).with_timezone("UTC");
        let mut topic = StringBuilder::with_capacity(rows, sizes.0);
        let mut client = StringBuilder::with_capacity(rows, sizes.1);
        let mut qos = UInt8Builder::with_capacity(rows);
        let mut retain = BooleanBuilder::with_capacity(rows);
        let mut payload = BinaryBuilder::with_capacity(rows, sizes.2);
        for message in messages.clone() {
            time.append_value(message.received_at() as i64);
            topic.append_value(message.topic());
            client.append_value(message.publisher());
            qos.append_value(message.qos().value());
            retain.append_value(message.retain());
            payload.append_value(message.payload());
        }
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(time.finish()),
            Arc::new(topic.finish()),
            Arc::new(client.finish()),
            Arc::new(qos.finish()),
            Arc::new(retain.finish()),
            Arc::new(payload.finish()),
        ];
        columns.extend(self.read_fields(messages));
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map(ArrowBatch).map_err(broken)
    }

    fn read_fields<'a>(&self, messages: impl ExactSizeIterator<Item = &'a Observed>) -> Vec<ArrayRef> {
        if self.kinds.is_empty() {
            return Vec::new();
        }
        let rows = messages.len();
        let mut builders: Vec<_> =
            self.kinds.iter().map(|(_, kind)| FieldBuilder::new(*kind, rows)).collect();
        let mut values = Vec::new();
        for message in messages {
            self.fields.read(message.payload(), &mut values);
            for (builder, (index, _)) in builders.iter_mut().zip(&self.kinds) {
                builder.append(&values[*index]);
            }
        }
        builders.into_iter().map(FieldBuilder::finish).collect()
    }
}

enum FieldBuilder {
    Float(Float64Builder),
    Int(Int64Builder),
    Text(StringBuilder),
    Bool(BooleanBuilder),
}

impl FieldBuilder {
    fn new(kind: Kind, rows: usize) -> Self {
        match kind {
            Kind::Float => Self::Float(Float64Builder::with_capacity(rows)),
            Kind::Int => Self::Int(Int64Builder::with_capacity(rows)),
            Kind::Text => Self::Text(StringBuilder::with_capacity(rows, rows * 8)),
            Kind::Bool => Self::Bool(BooleanBuilder::with_capacity(rows)),
        }
    }

    fn append(&mut self, value: &Value<'_>) {
        match (self, value) {
            (Self::Float(column), Value::Float(number)) => column.append_value(*number),
            (Self::Float(column), Value::Int(number)) => column.append_value(*number as f64),
            (Self::Int(column), Value::Int(number)) => column.append_value(*number),
            (Self::Text(column), Value::Text(text)) => column.append_value(text),
            (Self::Bool(column), Value::Bool(flag)) => column.append_value(*flag),
            (Self::Float(column), _) => column.append_null(),
            (Self::Int(column), _) => column.append_null(),
            (Self::Text(column), _) => column.append_null(),
            (Self::Bool(column), _) => column.append_null(),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Float(mut column) => Arc::new(column.finish()),
            Self::Int(mut column) => Arc::new(column.finish()),
            Self::Text(mut column) => Arc::new(column.finish()),
            Self::Bool(mut column) => Arc::new(column.finish()),
        }
    }
}

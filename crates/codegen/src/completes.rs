//! What the values of an argument can be completed from. The server compiles this file too, as it does not depend on the
//! generator.

/// The things of a workspace that names are offered of. Each has the name of the resource that it is read as, whose
/// variable it completes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Completes {
    /// Catalogs, by name.
    Catalog,
    /// Schemas, as `catalog.schema`.
    Schema,
    /// Tables and views, as `catalog.schema.table`.
    Table,
    /// Volumes, as `catalog.schema.volume`.
    Volume,
    /// Jobs.
    Job,
    /// Runs of jobs, the newest.
    Run,
    /// Clusters.
    Cluster,
    /// SQL warehouses.
    Warehouse,
    /// Pipelines.
    Pipeline,
    /// Notebooks, by path.
    Notebook,
    /// Folders, by path.
    Folder,
}

impl Completes {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Catalog,
        Self::Schema,
        Self::Table,
        Self::Volume,
        Self::Job,
        Self::Run,
        Self::Cluster,
        Self::Warehouse,
        Self::Pipeline,
        Self::Notebook,
        Self::Folder,
    ];

    /// Its word in the allowlist, which is the name of a resource.
    pub fn name(self) -> &'static str {
        match self {
            Self::Catalog => "catalog",
            Self::Schema => "schema",
            Self::Table => "table",
            Self::Volume => "volume",
            Self::Job => "job",
            Self::Run => "run",
            Self::Cluster => "cluster",
            Self::Warehouse => "warehouse",
            Self::Pipeline => "pipeline",
            Self::Notebook => "notebook",
            Self::Folder => "folder",
        }
    }

    /// The one of this word.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}

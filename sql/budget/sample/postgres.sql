-- Source tables of the sample, for PostgreSQL. They belong to the planning
-- application: only `dashagg demo` and the tests create them.
-- Planning tables hold one live row per key; a replaced row stays, with deleted_at.

CREATE SCHEMA IF NOT EXISTS efir_budget;

CREATE TABLE efir_budget.budget_versions (
  id            UUID        PRIMARY KEY DEFAULT gen_random_uuid(),
  name          TEXT        NOT NULL,
  fiscal_year   INTEGER     NOT NULL,
  academic_year TEXT        NOT NULL,
  status        TEXT        NOT NULL DEFAULT 'working'
                CHECK (status IN ('working', 'submitted', 'approved', 'superseded')),
  notes         TEXT,
  created_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
  deleted_at    TIMESTAMPTZ
);

CREATE INDEX budget_versions_year ON efir_budget.budget_versions (fiscal_year, status);

CREATE TABLE efir_budget.academic_levels (
  id         INTEGER PRIMARY KEY,
  code       TEXT    NOT NULL UNIQUE,
  cycle      TEXT    NOT NULL CHECK (cycle IN ('maternelle', 'elementaire', 'college', 'lycee')),
  sort_order INTEGER NOT NULL
);

CREATE TABLE efir_budget.enrollment_plans (
  id                UUID        PRIMARY KEY DEFAULT gen_random_uuid(),
  budget_version_id UUID        NOT NULL REFERENCES efir_budget.budget_versions (id),
  level_id          INTEGER     NOT NULL REFERENCES efir_budget.academic_levels (id),
  nationality       TEXT        NOT NULL CHECK (nationality IN ('french', 'saudi', 'other')),
  student_count     INTEGER     NOT NULL CHECK (student_count >= 0),
  notes             TEXT,
  updated_at        TIMESTAMPTZ NOT NULL DEFAULT now(),
  deleted_at        TIMESTAMPTZ
);

CREATE UNIQUE INDEX enrollment_plans_live
  ON efir_budget.enrollment_plans (budget_version_id, level_id, nationality)
  WHERE deleted_at IS NULL;

CREATE TABLE efir_budget.class_structures (
  id                UUID        PRIMARY KEY DEFAULT gen_random_uuid(),
  budget_version_id UUID        NOT NULL REFERENCES efir_budget.budget_versions (id),
  level_id          INTEGER     NOT NULL REFERENCES efir_budget.academic_levels (id),
  class_count       INTEGER     NOT NULL CHECK (class_count >= 0),
  atsem_count       INTEGER,             -- assistants, maternelle only
  updated_at        TIMESTAMPTZ NOT NULL DEFAULT now(),
  deleted_at        TIMESTAMPTZ
);

CREATE UNIQUE INDEX class_structures_live
  ON efir_budget.class_structures (budget_version_id, level_id)
  WHERE deleted_at IS NULL;

-- DHG, the weekly hours that the secondary school teaches.
CREATE TABLE efir_budget.dhg_subject_hours (
  id                UUID          PRIMARY KEY DEFAULT gen_random_uuid(),
  budget_version_id UUID          NOT NULL REFERENCES efir_budget.budget_versions (id),
  level_id          INTEGER       NOT NULL REFERENCES efir_budget.academic_levels (id),
  subject_code      TEXT          NOT NULL,
  hours_per_class   NUMERIC(5,2)  NOT NULL,
  class_count       INTEGER       NOT NULL,
  total_hours       NUMERIC(8,2),        -- NULL: not yet calculated
  updated_at        TIMESTAMPTZ   NOT NULL DEFAULT now(),
  deleted_at        TIMESTAMPTZ
);

CREATE UNIQUE INDEX dhg_subject_hours_live
  ON efir_budget.dhg_subject_hours (budget_version_id, level_id, subject_code)
  WHERE deleted_at IS NULL;

CREATE TABLE efir_budget.dhg_teacher_requirements (
  id                UUID          PRIMARY KEY DEFAULT gen_random_uuid(),
  budget_version_id UUID          NOT NULL REFERENCES efir_budget.budget_versions (id),
  subject_code      TEXT          NOT NULL,
  fte_required      NUMERIC(6,2)  NOT NULL,
  overtime_hours    NUMERIC(6,2),
  updated_at        TIMESTAMPTZ   NOT NULL DEFAULT now(),
  deleted_at        TIMESTAMPTZ
);

CREATE UNIQUE INDEX dhg_teacher_requirements_live
  ON efir_budget.dhg_teacher_requirements (budget_version_id, subject_code)
  WHERE deleted_at IS NULL;

CREATE TABLE efir_budget.teacher_allocations (
  id                UUID          PRIMARY KEY DEFAULT gen_random_uuid(),
  budget_version_id UUID          NOT NULL REFERENCES efir_budget.budget_versions (id),
  subject_code      TEXT          NOT NULL,
  teacher_category  TEXT          NOT NULL
                    CHECK (teacher_category IN ('aefe_detached', 'aefe_funded', 'local')),
  fte_count         NUMERIC(6,2)  NOT NULL,
  updated_at        TIMESTAMPTZ   NOT NULL DEFAULT now(),
  deleted_at        TIMESTAMPTZ
);

CREATE UNIQUE INDEX teacher_allocations_live
  ON efir_budget.teacher_allocations (budget_version_id, subject_code, teacher_category)
  WHERE deleted_at IS NULL;

-- The plans of money: any number of lines per version and account.
CREATE TABLE efir_budget.revenue_plans (
  id                UUID          PRIMARY KEY DEFAULT gen_random_uuid(),
  budget_version_id UUID          NOT NULL REFERENCES efir_budget.budget_versions (id),
  account_code      TEXT          NOT NULL,
  revenue_type      TEXT          NOT NULL CHECK (revenue_type IN ('tuition', 'fee', 'other')),
  period            SMALLINT      NOT NULL CHECK (period BETWEEN 1 AND 12),
  amount_sar        NUMERIC(15,2) NOT NULL,
  notes             TEXT,
  updated_at        TIMESTAMPTZ   NOT NULL DEFAULT now(),
  deleted_at        TIMESTAMPTZ
);

CREATE INDEX revenue_plans_version ON efir_budget.revenue_plans (budget_version_id);

CREATE TABLE efir_budget.personnel_cost_plans (
  id                UUID          PRIMARY KEY DEFAULT gen_random_uuid(),
  budget_version_id UUID          NOT NULL REFERENCES efir_budget.budget_versions (id),
  account_code      TEXT          NOT NULL,
  period            SMALLINT      NOT NULL CHECK (period BETWEEN 1 AND 12),
  fte_count         NUMERIC(6,2),        -- NULL: a lump sum
  total_cost_sar    NUMERIC(15,2),       -- NULL: not yet calculated
  updated_at        TIMESTAMPTZ   NOT NULL DEFAULT now(),
  deleted_at        TIMESTAMPTZ
);

CREATE INDEX personnel_cost_plans_version ON efir_budget.personnel_cost_plans (budget_version_id);

CREATE TABLE efir_budget.operating_cost_plans (
  id                UUID          PRIMARY KEY DEFAULT gen_random_uuid(),
  budget_version_id UUID          NOT NULL REFERENCES efir_budget.budget_versions (id),
  account_code      TEXT,                -- NULL: not yet assigned
  cost_category     TEXT          NOT NULL,
  period            SMALLINT      NOT NULL CHECK (period BETWEEN 1 AND 12),
  amount_sar        NUMERIC(15,2) NOT NULL,
  updated_at        TIMESTAMPTZ   NOT NULL DEFAULT now(),
  deleted_at        TIMESTAMPTZ
);

CREATE INDEX operating_cost_plans_version ON efir_budget.operating_cost_plans (budget_version_id);

CREATE TABLE efir_budget.capex_plans (
  id                UUID          PRIMARY KEY DEFAULT gen_random_uuid(),
  budget_version_id UUID          NOT NULL REFERENCES efir_budget.budget_versions (id),
  account_code      TEXT          NOT NULL,
  description       TEXT          NOT NULL,
  quantity          INTEGER       NOT NULL,
  unit_cost_sar     NUMERIC(15,2) NOT NULL,
  total_cost_sar    NUMERIC(15,2) NOT NULL,
  acquired_on       DATE,
  updated_at        TIMESTAMPTZ   NOT NULL DEFAULT now(),
  deleted_at        TIMESTAMPTZ
);

CREATE INDEX capex_plans_version ON efir_budget.capex_plans (budget_version_id);

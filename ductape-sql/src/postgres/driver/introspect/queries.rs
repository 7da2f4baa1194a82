//! The questions that the catalog is asked: a handful, each about everything in scope at once. Every
//! row of an answer is one JSON object.

use crate::postgres::dialect::sql;
use crate::postgres::driver::place::Place;
use crate::writer::Sql;
use ductape_core::Name;
use ductape_engine::backend::Scope;

/// The relations in scope, as the beginning of every question: `place` is the schema, `wanted` the tables.
pub(super) struct Questions {
    beginning: String,
    /// Whether everything is asked for.
    all: bool,
}

impl Questions {
    pub fn new(place: &Place, scope: &Scope) -> Self {
        let names = &place.names;
        let text = sql()
            .words("WITH RECURSIVE place AS (SELECT oid FROM pg_namespace WHERE nspname = ")
            .text(place.schema_name())
            .words("), tables AS (SELECT c.oid, c.relname FROM pg_class c JOIN place p ON p.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't' AND c.relname NOT IN (")
            .texts([names.migrations.as_str(), names.log.as_str(), names.state.as_str()])
            .words(") AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')), ");
        let text = match scope {
            Scope::All => text.words("wanted AS (SELECT oid, relname FROM tables)"),
            Scope::Only(given) => only(text, given.iter()),
        };
        Self {
            beginning: text.finish(),
            all: *scope == Scope::All,
        }
    }

    /// Whether anything is there, of what is asked for by name: `t` or `f`.
    pub fn anything(&self) -> String {
        format!("{} SELECT EXISTS (SELECT FROM named)", self.beginning)
    }

    fn ask(&self, question: &str) -> String {
        format!(
            "{} SELECT row_to_json(r)::text FROM ({question}) AS r",
            self.beginning
        )
    }

    /// The tables.
    pub fn tables(&self) -> String {
        self.ask("SELECT w.oid::bigint AS id, w.relname AS name, c.relpersistence = 'u' AS unlogged, d.description AS comment \
            FROM wanted w JOIN pg_class c ON c.oid = w.oid \
            LEFT JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = w.oid AND d.objsubid = 0")
    }

    /// Their columns, in order.
    pub fn fields(&self) -> String {
        self.ask("SELECT a.attrelid::bigint AS table, a.attname AS name, \
            format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS required, \
            a.attidentity <> '' AS identity, a.attgenerated <> '' AS generated, \
            pg_get_expr(b.adbin, b.adrelid) AS expression, \
            CASE WHEN a.attcollation <> t.typcollation THEN (SELECT collname FROM pg_collation WHERE oid = a.attcollation) END AS collation, \
            CASE WHEN e.oid IS NOT NULL THEN (SELECT json_agg(v.enumlabel ORDER BY v.enumsortorder) FROM pg_enum v WHERE v.enumtypid = e.oid) END AS values, \
            CASE WHEN e.oid IS NULL THEN NULL WHEN e.typnamespace = (SELECT oid FROM place) AND e.typacl IS NULL AND e.typowner = (SELECT relowner FROM pg_class WHERE oid = a.attrelid) \
                AND obj_description(e.oid, 'pg_type') IS NULL AND NOT EXISTS (SELECT FROM pg_depend u WHERE u.refclassid = 'pg_type'::regclass AND u.refobjid IN (e.oid, e.typarray) AND u.deptype = 'n' AND (u.classid IN ('pg_proc'::regclass, 'pg_type'::regclass) \
                    OR u.classid = 'pg_class'::regclass AND EXISTS (SELECT FROM pg_attribute o JOIN pg_class r ON r.oid = o.attrelid WHERE o.attrelid = u.objid AND o.attnum = u.objsubid AND o.attinhcount = 0 AND r.relkind IN ('r', 'p', 'f', 'c') \
                        AND (o.attrelid, o.attnum) <> (a.attrelid, a.attnum)))) THEN e.typname END AS own_type, \
            b.oid IS NOT NULL AND EXISTS (SELECT FROM pg_depend s JOIN pg_sequence q ON q.seqrelid = s.objid WHERE s.classid = 'pg_class'::regclass AND s.refclassid = 'pg_class'::regclass AND s.refobjid = a.attrelid AND s.refobjsubid = a.attnum AND s.deptype = 'a') AS serial, \
            d.description AS comment \
            FROM pg_attribute a JOIN wanted w ON w.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid \
            LEFT JOIN pg_type e ON e.typtype = 'e' AND e.oid = CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE t.oid END \
            LEFT JOIN pg_attrdef b ON b.adrelid = a.attrelid AND b.adnum = a.attnum \
            LEFT JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = a.attrelid AND d.objsubid = a.attnum \
            WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum")
    }

    /// Their constraints, and with `foreign` in them those of other schemas that point here.
    pub fn constraints(&self) -> String {
        self.ask("SELECT k.conrelid::bigint AS table, k.conname AS name, k.contype AS kind, \
            k.condeferrable AS deferrable, k.condeferred AS deferred, k.convalidated AS validated, \
            k.conparentid <> 0 AS inherited, \
            CASE WHEN c.relnamespace <> p.oid THEN c.oid::regclass::text END AS elsewhere, \
            (SELECT json_agg(a.attname ORDER BY u.n) FROM unnest(k.conkey) WITH ORDINALITY AS u (attnum, n) JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum) AS columns, \
            CASE WHEN k.contype = 'f' THEN t.relname END AS target, t.relnamespace = p.oid AS target_here, \
            CASE WHEN k.contype = 'f' THEN (SELECT json_agg(a.attname ORDER BY u.n) FROM unnest(k.confkey) WITH ORDINALITY AS u (attnum, n) JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum) END AS target_columns, \
            k.confdeltype AS on_delete, k.confupdtype AS on_update, \
            k.contype = 'f' AND (k.confmatchtype <> 's' OR to_jsonb(k) ->> 'confdelsetcols' IS NOT NULL) \
                OR k.contype = 'c' AND k.connoinherit \
                OR k.contype IN ('p', 'u') AND (i.indnatts <> i.indnkeyatts OR to_jsonb(i) ->> 'indnullsnotdistinct' = 'true' OR x.reloptions IS NOT NULL) AS special, \
            CASE WHEN k.contype = 'c' THEN pg_get_expr(k.conbin, k.conrelid) END AS expression, \
            pg_get_constraintdef(k.oid) AS definition, d.description AS comment \
            FROM pg_constraint k CROSS JOIN place p JOIN pg_class c ON c.oid = k.conrelid \
            LEFT JOIN pg_class t ON t.oid = k.confrelid \
            LEFT JOIN pg_index i ON i.indexrelid = k.conindid AND k.contype IN ('p', 'u') \
            LEFT JOIN pg_class x ON x.oid = i.indexrelid \
            LEFT JOIN pg_description d ON d.classoid = 'pg_constraint'::regclass AND d.objoid = k.oid \
            WHERE k.contype IN ('p', 'u', 'f', 'c', 'x') AND (k.conrelid IN (SELECT oid FROM wanted) \
                OR k.contype = 'f' AND k.conparentid = 0 AND c.relnamespace <> p.oid AND k.confrelid IN (SELECT oid FROM wanted))")
    }

    /// Their indexes, but for those that a constraint has.
    pub fn indexes(&self) -> String {
        self.ask("SELECT i.indrelid::bigint AS table, c.relname AS name, m.amname AS method, i.indisunique AS unique, i.indisvalid AS valid, \
            coalesce(to_jsonb(i) ->> 'indnullsnotdistinct' = 'true', false) AS nulls_not_distinct, \
            pg_get_expr(i.indpred, i.indrelid) AS predicate, c.reloptions AS options, d.description AS comment, \
            pg_get_indexdef(i.indexrelid) AS definition, \
            (SELECT json_agg(json_build_object('field', a.attname, \
                'expression', CASE WHEN u.attnum = 0 THEN pg_get_indexdef(i.indexrelid, u.n::integer, false) END, \
                'descending', i.indoption[u.n - 1] & 1 = 1, 'nulls_first', i.indoption[u.n - 1] & 2 = 2, \
                'class', (SELECT o.opcname FROM pg_opclass o WHERE o.oid = i.indclass[u.n - 1] AND NOT o.opcdefault), \
                'parameters', (SELECT x.attoptions FROM pg_attribute x WHERE x.attrelid = i.indexrelid AND x.attnum = u.n), \
                'collation', CASE WHEN i.indcollation[u.n - 1] NOT IN (0, coalesce(a.attcollation, 100)) THEN (SELECT collname FROM pg_collation WHERE oid = i.indcollation[u.n - 1]) END) ORDER BY u.n) \
                FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS u (attnum, n) \
                LEFT JOIN LATERAL (SELECT b.attname, b.attcollation FROM pg_attribute b WHERE b.attrelid = i.indrelid AND b.attnum = u.attnum AND u.attnum <> 0) AS a ON true \
                WHERE u.n <= i.indnkeyatts) AS keys, \
            CASE WHEN i.indnatts > i.indnkeyatts THEN (SELECT json_agg((SELECT a.attname FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = u.attnum) ORDER BY u.n) \
                FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS u (attnum, n) WHERE u.n > i.indnkeyatts) END AS include \
            FROM pg_index i JOIN wanted w ON w.oid = i.indrelid JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam \
            LEFT JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = i.indexrelid AND d.objsubid = 0 \
            WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = i.indrelid AND k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))")
    }

    /// Views that rest on the tables, in whatever schema, and the views that they rest on.
    pub fn views(&self) -> String {
        let more = match self.all {
            true => {
                " UNION SELECT c.oid FROM pg_class c JOIN place p ON p.oid = c.relnamespace WHERE c.relkind IN ('v', 'm') AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')"
            }
            false => "",
        };
        format!(
            "{}, rests (oid) AS (SELECT oid FROM wanted UNION SELECT r.ev_class FROM rests b \
                JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = b.oid AND d.classid = 'pg_rewrite'::regclass \
                JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_class <> b.oid), \
            views AS (SELECT c.oid, c.relname, c.relkind, c.relowner, c.relacl, c.reloptions, c.relispopulated, {QUALIFIED} AS qualified, \
                CASE WHEN n.oid = p.oid THEN c.relname ELSE n.nspname || '.' || c.relname END AS called \
                FROM pg_class c CROSS JOIN place p JOIN pg_namespace n ON n.oid = c.relnamespace \
                WHERE c.relkind IN ('v', 'm') AND c.oid IN (SELECT oid FROM rests{more})) \
            SELECT row_to_json(r)::text FROM (SELECT CASE v.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END AS kind, v.called AS name, NULL AS \"on\", \
                'CREATE ' || CASE v.relkind WHEN 'm' THEN 'MATERIALIZED VIEW ' ELSE 'VIEW ' END || v.qualified \
                || coalesce(' WITH (' || array_to_string(v.reloptions, ', ') || ')', '') || E' AS\\n' || rtrim(pg_get_viewdef(v.oid), ';') \
                || CASE WHEN v.relkind = 'm' AND NOT v.relispopulated THEN ' WITH NO DATA' ELSE '' END \
                || coalesce((SELECT string_agg(E';\\n' || pg_get_indexdef(i.indexrelid), '' ORDER BY i.indexrelid) FROM pg_index i WHERE i.indrelid = v.oid), '') \
                || coalesce((SELECT string_agg(E';\\n' || pg_get_triggerdef(t.oid, true), '' ORDER BY t.tgname) FROM pg_trigger t WHERE t.tgrelid = v.oid AND NOT t.tgisinternal), '') \
                || coalesce((SELECT string_agg(E';\\n' || rtrim(pg_get_ruledef(u.oid), ';'), '' ORDER BY u.rulename) FROM pg_rewrite u WHERE u.ev_class = v.oid AND u.rulename <> '_RETURN'), '') \
                || coalesce((SELECT string_agg(CASE WHEN d.objsubid = 0 THEN format(E';\\nCOMMENT ON %s %s IS %L', CASE v.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END, v.qualified, d.description) \
                    ELSE format(E';\\nCOMMENT ON COLUMN %s.%I IS %L', v.qualified, a.attname, d.description) END, '' ORDER BY d.objsubid) \
                    FROM pg_description d LEFT JOIN pg_attribute a ON a.attrelid = v.oid AND a.attnum = d.objsubid WHERE d.classoid = 'pg_class'::regclass AND d.objoid = v.oid), '') \
                || coalesce((SELECT string_agg(format(E';\nALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s', v.qualified, a.attname, pg_get_expr(b.adbin, b.adrelid)), '' ORDER BY a.attnum) \
                    FROM pg_attrdef b JOIN pg_attribute a ON a.attrelid = b.adrelid AND a.attnum = b.adnum WHERE b.adrelid = v.oid), '') \
                || coalesce((SELECT string_agg({COLUMN_GRANTS}, '' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = v.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped), '') \
                || {GRANTS} || {OWNER} AS definition, \
                (SELECT json_agg(DISTINCT coalesce(o.called, {ROUTINE})) FROM pg_rewrite u JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = u.oid \
                    LEFT JOIN views o ON d.refclassid = 'pg_class'::regclass AND o.oid = d.refobjid AND o.oid <> v.oid \
                    LEFT JOIN pg_proc f ON d.refclassid = 'pg_proc'::regclass AND f.oid = d.refobjid AND f.pronamespace = (SELECT oid FROM place) \
                    WHERE u.ev_class = v.oid AND (o.oid IS NOT NULL OR f.oid IS NOT NULL)) AS after \
                FROM views v ORDER BY v.oid) AS r",
            self.beginning
        )
    }

    /// What stands on the tables and falls with them, and the model has no word for: triggers, rules,
    /// policies, statistics, partitions, inheritance.
    pub fn natives(&self) -> String {
        self.ask(&format!(
            "SELECT 'trigger' AS kind, t.tgname AS name, w.relname AS \"on\", pg_get_triggerdef(t.oid, true) \
                || CASE t.tgenabled WHEN 'D' THEN format(E';\\nALTER TABLE %I DISABLE TRIGGER %I', w.relname, t.tgname) WHEN 'R' THEN format(E';\\nALTER TABLE %I ENABLE REPLICA TRIGGER %I', w.relname, t.tgname) WHEN 'A' THEN format(E';\\nALTER TABLE %I ENABLE ALWAYS TRIGGER %I', w.relname, t.tgname) ELSE '' END \
                || CASE WHEN d.description IS NULL THEN '' ELSE format(E';\\nCOMMENT ON TRIGGER %I ON %I IS %L', t.tgname, w.relname, d.description) END AS definition, NULL::json AS after \
                FROM pg_trigger t JOIN wanted w ON w.oid = t.tgrelid LEFT JOIN pg_description d ON d.classoid = 'pg_trigger'::regclass AND d.objoid = t.oid \
                WHERE NOT t.tgisinternal \
            UNION ALL SELECT 'rule', u.rulename, w.relname, rtrim(pg_get_ruledef(u.oid), ';') \
                || CASE WHEN d.description IS NULL THEN '' ELSE format(E';\\nCOMMENT ON RULE %I ON %I IS %L', u.rulename, w.relname, d.description) END, NULL \
                FROM pg_rewrite u JOIN wanted w ON w.oid = u.ev_class LEFT JOIN pg_description d ON d.classoid = 'pg_rewrite'::regclass AND d.objoid = u.oid \
            UNION ALL SELECT 'policy', y.polname, w.relname, format('CREATE POLICY %I ON %I AS %s FOR %s TO %s', y.polname, w.relname, \
                    CASE WHEN y.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END, \
                    CASE y.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END, \
                    (SELECT string_agg(CASE WHEN o = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(o)) END, ', ') FROM unnest(y.polroles) AS o)) \
                || coalesce(' USING (' || pg_get_expr(y.polqual, y.polrelid) || ')', '') || coalesce(' WITH CHECK (' || pg_get_expr(y.polwithcheck, y.polrelid) || ')', '') \
                || CASE WHEN d.description IS NULL THEN '' ELSE format(E';\\nCOMMENT ON POLICY %I ON %I IS %L', y.polname, w.relname, d.description) END, NULL \
                FROM pg_policy y JOIN wanted w ON w.oid = y.polrelid LEFT JOIN pg_description d ON d.classoid = 'pg_policy'::regclass AND d.objoid = y.oid \
            UNION ALL SELECT 'statistics', s.stxname, w.relname, pg_get_statisticsobjdef(s.oid) \
                || CASE WHEN (to_jsonb(s) ->> 'stxstattarget')::integer >= 0 THEN format(E';\nALTER STATISTICS %I SET STATISTICS %s', s.stxname, to_jsonb(s) ->> 'stxstattarget') ELSE '' END \
                || CASE WHEN d.description IS NULL THEN '' ELSE format(E';\nCOMMENT ON STATISTICS %I IS %L', s.stxname, d.description) END \
                || CASE WHEN s.stxowner <> (SELECT oid FROM pg_roles WHERE rolname = current_user) THEN format(E';\nALTER STATISTICS %I OWNER TO %I', s.stxname, pg_get_userbyid(s.stxowner)) ELSE '' END, NULL \
                FROM pg_statistic_ext s JOIN wanted w ON w.oid = s.stxrelid LEFT JOIN pg_description d ON d.classoid = 'pg_statistic_ext'::regclass AND d.objoid = s.oid \
            UNION ALL SELECT 'publication', p.pubname, w.relname, format('ALTER PUBLICATION %I ADD TABLE ONLY %I', p.pubname, w.relname) || coalesce(' (' || x.columns || ')', '') || coalesce(' WHERE ' || x.filter, ''), NULL \
                FROM pg_publication_rel r JOIN wanted w ON w.oid = r.prrelid JOIN pg_publication p ON p.oid = r.prpubid \
                CROSS JOIN (SELECT NULL::int2vector AS prattrs, NULL::pg_node_tree AS prqual) AS older \
                CROSS JOIN LATERAL (SELECT (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = w.oid AND a.attnum = ANY (prattrs::int2[])) AS columns, \
                    pg_get_expr(prqual, w.oid) AS filter FROM pg_publication_rel z WHERE z.oid = r.oid) AS x \
            UNION ALL SELECT CASE f.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, {ROUTINE}, NULL, rtrim(pg_get_functiondef(f.oid), E' \n') \
                || CASE WHEN d.description IS NULL THEN '' ELSE format(E';\nCOMMENT ON ROUTINE %s IS %L', f.oid::regprocedure, d.description) END \
                || coalesce((SELECT string_agg(format(E';\nGRANT EXECUTE ON ROUTINE %s TO %s', f.oid::regprocedure, CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END), '' ORDER BY g.grantee) \
                    FROM aclexplode(f.proacl) AS g WHERE g.grantee <> f.proowner), '') \
                || CASE WHEN f.proacl IS NOT NULL AND NOT EXISTS (SELECT FROM aclexplode(f.proacl) AS g WHERE g.grantee = 0) THEN format(E';\nREVOKE ALL ON ROUTINE %s FROM PUBLIC', f.oid::regprocedure) ELSE '' END \
                || CASE WHEN f.proowner <> (SELECT oid FROM pg_roles WHERE rolname = current_user) THEN format(E';\nALTER ROUTINE %s OWNER TO %I', f.oid::regprocedure, pg_get_userbyid(f.proowner)) ELSE '' END, \
                (SELECT json_agg(DISTINCT c.relname) FROM pg_depend u JOIN pg_class c ON c.oid = u.refobjid AND c.relkind IN ('v', 'm') AND c.relnamespace = f.pronamespace WHERE u.classid = 'pg_proc'::regclass AND u.objid = f.oid AND u.refclassid = 'pg_class'::regclass) \
                FROM pg_proc f LEFT JOIN pg_description d ON d.classoid = 'pg_proc'::regclass AND d.objoid = f.oid \
                WHERE f.pronamespace = (SELECT oid FROM place) AND f.prokind IN ('f', 'p') AND f.oid IN (SELECT u.objid FROM pg_depend u WHERE u.classid = 'pg_proc'::regclass AND u.deptype = 'n' AND ( \
                    u.refclassid = 'pg_class'::regclass AND u.refobjid IN (SELECT oid FROM wanted UNION SELECT c.oid FROM pg_class c WHERE c.relkind IN ('v', 'm') AND c.relnamespace = (SELECT oid FROM place)) \
                    OR u.refclassid = 'pg_type'::regclass AND u.refobjid IN (SELECT t.oid FROM pg_type t JOIN wanted w ON w.oid = t.typrelid UNION SELECT t.typarray FROM pg_type t JOIN wanted w ON w.oid = t.typrelid))) \
            UNION ALL SELECT 'partitioning', w.relname, w.relname, 'PARTITION BY ' || pg_get_partkeydef(w.oid), NULL FROM wanted w JOIN pg_partitioned_table t ON t.partrelid = w.oid \
            UNION ALL SELECT 'partition', c.relname, w.relname, format('CREATE TABLE %s PARTITION OF %s %s', c.oid::regclass, b.oid::regclass, pg_get_expr(c.relpartbound, c.oid)) \
                || CASE WHEN c.relkind = 'p' THEN ' PARTITION BY ' || pg_get_partkeydef(c.oid) ELSE '' END \
                || coalesce((SELECT string_agg(E';\n' || pg_get_triggerdef(t.oid, true), '' ORDER BY t.tgname) FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgparentid = 0), '') \
                || CASE WHEN c.reloptions IS NULL THEN '' ELSE format(E';\nALTER TABLE %s SET (%s)', c.oid::regclass, array_to_string(c.reloptions, ', ')) END \
                || coalesce((SELECT format(E';\nCOMMENT ON TABLE %s IS %L', c.oid::regclass, d.description) FROM pg_description d WHERE d.classoid = 'pg_class'::regclass AND d.objoid = c.oid AND d.objsubid = 0), '') \
                || coalesce((SELECT string_agg(format(E';\nGRANT %s ON %s TO %s%s', g.privilege_type, c.oid::regclass, CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END, CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), '' ORDER BY g.grantee, g.privilege_type) \
                    FROM aclexplode(c.relacl) AS g WHERE g.grantee <> c.relowner), '') \
                || CASE WHEN c.relowner <> (SELECT oid FROM pg_roles WHERE rolname = current_user) THEN format(E';\nALTER TABLE %s OWNER TO %I', c.oid::regclass, pg_get_userbyid(c.relowner)) ELSE '' END, CASE WHEN b.oid <> w.oid THEN json_build_array(b.relname) END \
                FROM wanted w CROSS JOIN LATERAL pg_partition_tree(w.oid) AS p JOIN pg_class c ON c.oid = p.relid JOIN pg_class b ON b.oid = p.parentrelid WHERE p.level > 0 \
            UNION ALL SELECT 'constraint', k.conname, w.relname, format('ALTER TABLE %s ADD CONSTRAINT %I %s', c.oid::regclass, k.conname, pg_get_constraintdef(k.oid)), json_build_array(c.relname) \
                FROM wanted w CROSS JOIN LATERAL pg_partition_tree(w.oid) AS p JOIN pg_class c ON c.oid = p.relid JOIN pg_constraint k ON k.conrelid = c.oid \
                WHERE p.level > 0 AND k.conparentid = 0 AND k.coninhcount = 0 AND k.contype IN ('p', 'u', 'f', 'c', 'x') \
            UNION ALL SELECT 'index', x.relname, w.relname, pg_get_indexdef(i.indexrelid), json_build_array(c.relname) \
                FROM wanted w CROSS JOIN LATERAL pg_partition_tree(w.oid) AS p JOIN pg_class c ON c.oid = p.relid JOIN pg_index i ON i.indrelid = c.oid JOIN pg_class x ON x.oid = i.indexrelid \
                WHERE p.level > 0 AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = i.indexrelid) AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x')) \
            UNION ALL SELECT 'inheritance', b.relname, w.relname, CASE WHEN NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = w.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attinhcount > 0 AND a.attislocal) \
                    THEN format('CREATE TABLE %I () INHERITS (%s)', w.relname, b.oid::regclass) \
                    ELSE format('ALTER TABLE %I INHERIT %s', w.relname, b.oid::regclass) END, NULL \
                FROM pg_inherits h JOIN wanted w ON w.oid = h.inhrelid JOIN pg_class b ON b.oid = h.inhparent",
        ))
    }

    /// What belongs to the tables beside their shape: owner, grants, storage, row security. The same for
    /// their columns: how they count and are stored, and who may do what with them. And for their indexes.
    pub fn settings(&self) -> String {
        format!(
            "{}, v AS (SELECT c.*, {QUALIFIED} AS qualified FROM wanted w JOIN pg_class c ON c.oid = w.oid CROSS JOIN place p JOIN pg_namespace n ON n.oid = c.relnamespace) \
            SELECT row_to_json(r)::text FROM (SELECT 'settings' AS kind, v.relname AS name, v.relname AS \"on\", \
                ltrim(CASE WHEN v.reloptions IS NULL THEN '' ELSE format(E';\nALTER TABLE %s SET (%s)', v.qualified, array_to_string(v.reloptions, ', ')) END \
                || coalesce((SELECT format(E';\nALTER TABLE %s SET (toast.%s)', v.qualified, array_to_string(o.reloptions, ', toast.')) FROM pg_class o WHERE o.oid = v.reltoastrelid AND o.reloptions IS NOT NULL), '') \
                || CASE WHEN v.relrowsecurity THEN format(E';\nALTER TABLE %s ENABLE ROW LEVEL SECURITY', v.qualified) ELSE '' END \
                || CASE WHEN v.relforcerowsecurity THEN format(E';\nALTER TABLE %s FORCE ROW LEVEL SECURITY', v.qualified) ELSE '' END \
                || CASE v.relreplident WHEN 'f' THEN format(E';\nALTER TABLE %s REPLICA IDENTITY FULL', v.qualified) WHEN 'n' THEN format(E';\nALTER TABLE %s REPLICA IDENTITY NOTHING', v.qualified) ELSE '' END \
                || coalesce((SELECT format(E';\nALTER TABLE %s SET TABLESPACE %I', v.qualified, s.spcname) FROM pg_tablespace s WHERE s.oid = v.reltablespace), '') \
                || {GRANTS} || {OWNER}, E';\n') AS definition, NULL::json AS after FROM v \
            UNION ALL SELECT 'field settings', a.attname, v.relname, ltrim({COUNTING} \
                || CASE WHEN a.attstorage <> t.typstorage THEN format(E';\nALTER TABLE %s ALTER COLUMN %I SET STORAGE %s', v.qualified, a.attname, CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END) ELSE '' END \
                || CASE y.compression WHEN 'p' THEN format(E';\nALTER TABLE %s ALTER COLUMN %I SET COMPRESSION pglz', v.qualified, a.attname) WHEN 'l' THEN format(E';\nALTER TABLE %s ALTER COLUMN %I SET COMPRESSION lz4', v.qualified, a.attname) ELSE '' END \
                || CASE WHEN a.attstattarget >= 0 THEN format(E';\nALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', v.qualified, a.attname, a.attstattarget) ELSE '' END \
                || CASE WHEN a.attoptions IS NULL THEN '' ELSE format(E';\nALTER TABLE %s ALTER COLUMN %I SET (%s)', v.qualified, a.attname, array_to_string(a.attoptions, ', ')) END \
                || {COLUMN_GRANTS}, E';\n'), NULL \
                FROM v JOIN pg_attribute a ON a.attrelid = v.oid AND a.attnum > 0 AND NOT a.attisdropped JOIN pg_type t ON t.oid = a.atttypid \
                CROSS JOIN (SELECT NULL::\"char\" AS attcompression) AS older \
                LEFT JOIN LATERAL (SELECT attcompression AS compression FROM pg_attribute z WHERE a.attlen = -1 AND z.attrelid = a.attrelid AND z.attnum = a.attnum) AS y ON true \
                LEFT JOIN LATERAL (SELECT q.*, c.relname, c.relacl, c.relowner, c.oid FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S' AND c.relnamespace = v.relnamespace JOIN pg_sequence q ON q.seqrelid = c.oid \
                    WHERE (a.atthasdef OR a.attidentity <> '') AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = v.oid AND d.refobjsubid = a.attnum AND d.deptype IN ('a', 'i') LIMIT 1) AS s ON true \
                WHERE s.oid IS NOT NULL OR a.attidentity <> '' OR a.attstorage <> t.typstorage OR coalesce(y.compression, '') <> '' OR a.attstattarget >= 0 OR a.attoptions IS NOT NULL OR a.attacl IS NOT NULL \
            UNION ALL SELECT 'index settings', x.relname, v.relname, ltrim(CASE WHEN i.indisclustered THEN format(E';\nALTER TABLE %s CLUSTER ON %I', v.qualified, x.relname) ELSE '' END \
                || CASE WHEN i.indisreplident THEN format(E';\nALTER TABLE %s REPLICA IDENTITY USING INDEX %I', v.qualified, x.relname) ELSE '' END \
                || coalesce((SELECT string_agg(format(E';\nALTER INDEX %I ALTER COLUMN %s SET STATISTICS %s', x.relname, a.attnum, a.attstattarget), '' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = x.oid AND a.attstattarget >= 0), ''), E';\n'), NULL \
                FROM v JOIN pg_index i ON i.indrelid = v.oid JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indisclustered OR i.indisreplident OR i.indexprs IS NOT NULL) AS r WHERE definition <> ''",
            self.beginning
        )
    }
}

/// The tables with these names or with an index of such a name, those whose foreign keys point at them,
/// those that they point at, and those that inherit from them or that they inherit from.
fn only<'n>(text: Sql, given: impl Iterator<Item = &'n Name> + Clone) -> Sql {
    let list = |text: Sql, given: &mut dyn Iterator<Item = &'n Name>| {
        let names: Vec<&str> = given.map(Name::as_str).collect();
        match names.is_empty() {
            true => text.words("NULL"),
            false => text.texts(names),
        }
    };
    let text = text.words("named AS (SELECT t.oid FROM tables t WHERE t.relname IN (");
    let text = list(text, &mut given.clone());
    let text = text.words(") UNION SELECT i.indrelid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN place p ON p.oid = c.relnamespace WHERE c.relname IN (");
    list(text, &mut given.clone()).words(")), wanted AS (SELECT t.oid, t.relname FROM tables t WHERE t.oid IN (SELECT oid FROM named UNION SELECT coalesce(pg_partition_root(k.conrelid), k.conrelid) FROM pg_constraint k WHERE k.contype = 'f' AND k.confrelid IN (SELECT oid FROM named) UNION SELECT k.confrelid FROM pg_constraint k WHERE k.contype = 'f' AND k.conrelid IN (SELECT oid FROM named) UNION SELECT h.inhparent FROM pg_inherits h WHERE h.inhrelid IN (SELECT oid FROM named) UNION SELECT h.inhrelid FROM pg_inherits h WHERE h.inhparent IN (SELECT oid FROM named) \
        UNION SELECT y.polrelid FROM pg_policy y JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = y.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid IN (SELECT oid FROM named) \
        UNION SELECT u.ev_class FROM pg_rewrite u JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = u.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid IN (SELECT oid FROM named)))")
}

/// How a relation is named in a session whose schema is `place`.
const QUALIFIED: &str = "CASE WHEN n.oid = p.oid THEN quote_ident(c.relname) ELSE quote_ident(n.nspname) || '.' || quote_ident(c.relname) END";

/// Who was given what on a relation.
const GRANTS: &str = "coalesce((SELECT string_agg(format(E';\\nGRANT %s ON %s TO %s%s', g.privilege_type, v.qualified, \
    CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END, CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), '' ORDER BY g.grantee, g.privilege_type) \
    FROM aclexplode(v.relacl) AS g WHERE g.grantee <> v.relowner), '')";

/// Whose a relation is, where it is somebody else's. It stands last: who gives a thing away cannot go on
/// giving rights on it.
const OWNER: &str = "CASE WHEN v.relowner <> (SELECT oid FROM pg_roles WHERE rolname = current_user) THEN format(E';\\nALTER TABLE %s OWNER TO %I', v.qualified, pg_get_userbyid(v.relowner)) ELSE '' END";

/// A routine as its definition is named.
const ROUTINE: &str = "f.proname || '(' || pg_get_function_identity_arguments(f.oid) || ')'";

/// Who was given what on a column.
const COLUMN_GRANTS: &str = "coalesce((SELECT string_agg(format(E';\nGRANT %s (%I) ON %s TO %s%s', g.privilege_type, a.attname, v.qualified, \
    CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END, CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), '' ORDER BY g.grantee, g.privilege_type) \
    FROM aclexplode(a.attacl) AS g), '')";

/// How a column counts, where it does not as one that was just made would: the name and the options of its
/// sequence, and who may use that.
const COUNTING: &str = "CASE WHEN a.attidentity = 'a' THEN format(E';\nALTER TABLE %s ALTER COLUMN %I SET GENERATED ALWAYS', v.qualified, a.attname) ELSE '' END \
    || CASE WHEN s.relname <> v.relname || '_' || a.attname || '_seq' THEN format(E';\nDO $do$ BEGIN\n  IF to_regclass(%L) IS NULL THEN EXECUTE format(%L, pg_get_serial_sequence(%L, %L)); END IF;\nEND $do$', \
        quote_ident(s.relname), 'ALTER SEQUENCE %s RENAME TO ' || quote_ident(s.relname), v.qualified, a.attname) ELSE '' END \
    || CASE WHEN s.seqincrement <> 1 OR s.seqstart <> 1 OR s.seqmin <> 1 OR s.seqcache <> 1 OR s.seqcycle OR s.seqtypid <> a.atttypid \
            OR s.seqmax <> CASE s.seqtypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647 ELSE 9223372036854775807 END \
        THEN format(E';\nALTER SEQUENCE %I%s INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s CACHE %s%s', s.relname, CASE WHEN s.seqtypid <> a.atttypid THEN ' AS ' || format_type(s.seqtypid, NULL) ELSE '' END, \
                s.seqincrement, s.seqmin, s.seqmax, s.seqstart, s.seqcache, CASE WHEN s.seqcycle THEN ' CYCLE' ELSE '' END) \
            || format(E';\nSELECT setval(%L, CASE WHEN %s > 0 THEN greatest(%s, least(%s, max(%I)::numeric + %s)) ELSE least(%s, greatest(%s, min(%I)::numeric + %s)) END::bigint, false) FROM %s', \
                quote_ident(s.relname), s.seqincrement, s.seqstart, s.seqmax, a.attname, s.seqincrement, s.seqstart, s.seqmin, a.attname, s.seqincrement, v.qualified) ELSE '' END \
    || coalesce((SELECT string_agg(format(E';\nGRANT %s ON SEQUENCE %I TO %s', g.privilege_type, s.relname, CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END), '' ORDER BY g.grantee, g.privilege_type) \
        FROM aclexplode(s.relacl) AS g WHERE g.grantee <> s.relowner), '') \
    || coalesce((SELECT format(E';\nCOMMENT ON SEQUENCE %I IS %L', s.relname, d.description) FROM pg_description d WHERE d.classoid = 'pg_class'::regclass AND d.objoid = s.oid AND d.objsubid = 0), '')";

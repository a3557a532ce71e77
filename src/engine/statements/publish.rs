//! Writing a delta into a summary's table.

use super::{OP, RUN, SummarySql};

impl SummarySql<'_> {
    /// Writes the delta into the table: statements in order, each with the marks whose number of rows it
    /// must match. `replace`: differing rows are deleted and inserted anew (another unique index exists).
    pub fn apply(&self, delta: &str, replace: bool) -> Vec<(String, &'static [char])> {
        let d = self.dialect;
        let op = d.quote(OP);
        let (gone, fresh): (&[char], &[char]) =
            if replace { (&['D', 'U'], &['I', 'U']) } else { (&['D'], &['I']) };
        let one_of = |marks: &[char]| {
            let marks: Vec<String> = marks.iter().map(|mark| format!("'{mark}'")).collect();
            format!("d.{} = {} AND d.{op} IN ({})", d.quote(RUN), self.marks.run, marks.join(", "))
        };
        let mut steps = vec![(d.delete_matching(&self.target, delta, self.key, &one_of(gone)), gone)];
        if !replace {
            let mut assignments: Vec<(String, String)> = self
                .columns
                .iter()
                .map(|column| {
                    let name = d.quote(&column.name);
                    (name.clone(), format!("d.{name}"))
                })
                .collect();
            assignments.extend(self.stamped.iter().map(|name| (d.quote(name), d.now().to_owned())));
            steps.push((
                d.update_matching(&self.target, delta, self.key, &assignments, &one_of(&['U'])),
                &['U'],
            ));
        }
        let mut into = self.names("");
        let mut from = self.names("d");
        for name in self.stamped {
            into.push(d.quote(name));
            from.push(d.now().to_owned());
        }
        steps.push((
            format!(
                "INSERT INTO {} ({}) SELECT {} FROM {delta} d WHERE {}",
                self.target,
                into.join(", "),
                from.join(", "),
                one_of(fresh)
            ),
            fresh,
        ));
        steps
    }
}

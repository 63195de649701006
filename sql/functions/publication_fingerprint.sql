-- Identifies a publication as it stands: any change of it, even one that was undone, changes this.
-- What was appended while it published less is in the WAL but not in the stream, so a slot is
-- trusted only while the publication is the one it was made with.
--
-- publication: its name
-- returns:     the row versions that make it up; null when it does not exist
create or replace function tidemark.publication_fingerprint(publication text) returns text
language sql
volatile
return (
  select concat_ws(
    ' ',
    p.oid,
    p.xmin,
    (
      select string_agg(r.oid || ':' || r.xmin, ' ' order by r.oid)
      from pg_catalog.pg_publication_rel as r
      where r.prpubid = p.oid
    )
  )
  from pg_catalog.pg_publication as p
  where p.pubname = publication
);

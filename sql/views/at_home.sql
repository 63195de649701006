-- One row while the log is where it was written, none where it was restored or copied row by row, until
-- an incarnation begins there. Copies of files, such as a standby, keep everything, and their home.
create or replace view tidemark.at_home as
select h.transaction_id
from tidemark.home as h
where h.xmin = h.transaction_id::xid
  and h.tableoid = h.table_id;

comment on view tidemark.at_home is
  'One row while the log is where it was written; none once it was restored elsewhere.';

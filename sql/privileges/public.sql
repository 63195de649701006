-- What nobody has unless it is granted: functions that run with the rights of the log's owner. All
-- others do no more than their caller may.
revoke execute
  on function
    tidemark.guard_events,
    tidemark.append,
    tidemark.append_stream,
    tidemark.append_streams,
    tidemark.append_group,
    tidemark.append_conditionally,
    tidemark.save_snapshot,
    tidemark.refuse_inline_debt,
    tidemark.guard_inline_rows,
    tidemark.read_inline_debts,
    tidemark.settle_inline_debts,
    tidemark.switch_inline,
    tidemark.take_lead,
    tidemark.record_idle,
    tidemark.hold_ledger,
    tidemark.begin_incarnation,
    tidemark.sequence_commits,
    tidemark.sequence_from_table,
    tidemark.sequence_window,
    tidemark.follow_slot,
    tidemark.explain_polling,
    tidemark.seal_events
  from public;

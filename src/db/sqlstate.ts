/** SQLSTATEs that tidemark acts on, by the names of Postgres's appendix A and our own class TM. */
export const sqlstate = {
  eventsAppendOnly: 'TM001',
  versionHole: 'TM002',
  transactionIdForeign: 'TM003',
  streamVersionConflict: 'TM004',
  appendInvalid: 'TM005',
  logInconsistent: 'TM006',
  sequencerSuperseded: 'TM007',
  publicationChanged: 'TM008',
  appendKeyReused: 'TM009',
  conditionFailed: 'TM010',
  logMoved: 'TM011',
  schemaVersionUnknown: 'TM012',
  projectionNotApplied: 'TM013',
  projectionNotSwitchable: 'TM014',

  uniqueViolation: '23505',
  invalidTextRepresentation: '22P02',
  numericValueOutOfRange: '22003',
  untranslatableCharacter: '22P05',
  characterNotInRepertoire: '22021',
  programLimitExceeded: '54000',
  insufficientPrivilege: '42501',
  undefinedTable: '42P01',
  undefinedFunction: '42883',
  undefinedObject: '42704',
  invalidSchemaName: '3F000',
  invalidCatalogName: '3D000',
  invalidPassword: '28P01',
  invalidAuthorization: '28000',
  objectInUse: '55006',
  configurationLimitExceeded: '53400',
  protocolViolation: '08P01',
  objectNotInPrerequisiteState: '55000',
  lockNotAvailable: '55P03',
  deadlockDetected: '40P01',
  serializationFailure: '40001',
  readOnlyTransaction: '25006',
  dependentObjectsStillExist: '2BP01',
  invalidTableDefinition: '42P16',
  noActiveSqlTransaction: '25P01',
  inFailedSqlTransaction: '25P02',
  duplicateObject: '42710',
} as const

/** Reads the SQLSTATE of an error that came from the server. */
export function sqlstateOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  const { code } = error
  // Classes begin with a digit or one of these letters; EPIPE is not one.
  return typeof code === 'string' && /^[0-9FHPTX][0-9A-Z]{4}$/.test(code) ? code : undefined
}

/** Tells whether an error is the connection's end rather than the statement's fault. */
export function isConnectionLoss(error: unknown): boolean {
  const state = sqlstateOf(error)
  if (state !== undefined) return state.startsWith('08') || state.startsWith('57P')
  const text = error instanceof Error ? `${codeOf(error)} ${error.message}` : ''
  return /ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|ENOENT|EAI_AGAIN|EHOSTUNREACH|[Cc]onnection (terminated|ended)|not queryable|timeout (expired|exceeded when trying to connect)/.test(
    text,
  )
}

/** Tells whether the server did not understand a statement: its syntax, or a name or type in it. */
export function isNotUnderstood(error: unknown): boolean {
  const state = sqlstateOf(error)
  return state?.startsWith('42') === true && state !== sqlstate.insufficientPrivilege
}

/** Tells whether the same statement may succeed later, without anybody changing anything. */
export function isTransient(error: unknown): boolean {
  if (isConnectionLoss(error)) return true
  const state = sqlstateOf(error)
  // Transaction rollback, insufficient resources, operator intervention.
  return state !== undefined && (/^(40|53|57)/.test(state) || transientStates.has(state))
}

/** A standby is promoted, or our address leads elsewhere, without anybody telling us. */
const transientStates: ReadonlySet<string> = new Set([
  sqlstate.lockNotAvailable,
  sqlstate.readOnlyTransaction,
])

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : ''
}

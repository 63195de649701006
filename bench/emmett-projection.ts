export const pongoPackage = '@event-driven-io/pongo'

/** What a projection of Emmett's is to do. */
export interface CatchUp {
  /** Of the collection and of the processor, which must both be new. */
  readonly name: string
  /** Documents that the credits are added up into. */
  readonly keys: number
  /** Events that are stored. After so many it stops. */
  readonly events: number
  readonly settings: EmmettSettings
  readonly signal: AbortSignal
}

/** Null leaves the choice to Emmett: what its documentation has, which sets none of them. */
export interface EmmettSettings {
  readonly pulling: {
    readonly batchSize: number
    /** Between two batches, in milliseconds. */
    readonly pullingFrequencyInMs: number
  } | null
  /** By default each event begins with a `create table if not exists`. */
  readonly createsCollection: 'by each event' | 'beforehand'
}

/** What is used of its package for projections. */
export interface EmmettProjections {
  pongoMultiStreamProjection(options: {
    readonly collectionName: string
    readonly collectionOptions?: { readonly schema: { readonly autoMigration: 'None' } }
    readonly canHandle: readonly string[]
    readonly getDocumentId: (event: Credited) => string
    readonly evolve: (document: Totals | null, event: Credited) => Totals
  }): unknown
}

/** What is used of its event store for projections. */
export interface EmmettConsumerSource {
  consumer(options: {
    readonly pulling?: EmmettSettings['pulling']
    readonly stopWhen: { readonly noMessagesLeft: boolean }
  }): {
    projector(options: {
      readonly processorId: string
      readonly projection: unknown
      readonly stopAfter: () => boolean
    }): unknown
    init(): Promise<void>
    start(): Promise<void>
  }
}

/** What is used of Pongo, which keeps its documents. */
export interface PongoExports {
  pongoClient(connectionString: string): {
    db(): { collection(name: string): { createCollection(): Promise<void> } }
    close(): Promise<void>
  }
}

interface Credited {
  readonly data: { readonly account: number; readonly cents: number }
}

interface Totals {
  readonly cents: number
  readonly credits: number
}

/**
 * Adds the credits up, as `balances` does, into a document for each key, and returns the
 * milliseconds from the start of the consumer until the last batch is committed.
 *
 * It stops at the last event. Where it stops because no messages are left, it has lost one; it would
 * stop only after a pause then, and maybe one more read, which do not count this way.
 */
export async function catchUp(
  exports: EmmettProjections & PongoExports,
  store: EmmettConsumerSource,
  connectionString: string,
  { name, keys, events, settings, signal }: CatchUp,
): Promise<number> {
  const isCreated = settings.createsCollection === 'beforehand'
  if (isCreated) await createCollection(exports, connectionString, name)
  const projection = exports.pongoMultiStreamProjection({
    collectionName: name,
    ...(isCreated && { collectionOptions: { schema: { autoMigration: 'None' } } }),
    canHandle: ['account.credited'],
    getDocumentId: ({ data }) => String(data.account % keys),
    evolve: (document, { data }) => ({
      cents: (document?.cents ?? 0) + data.cents,
      credits: (document?.credits ?? 0) + 1,
    }),
  })
  const consumer = store.consumer({
    ...(settings.pulling !== null && { pulling: settings.pulling }),
    stopWhen: { noMessagesLeft: true },
  })
  let applied = 0
  const stopAfter = () => {
    applied += 1
    return applied === events || signal.aborted
  }
  consumer.projector({ processorId: name, projection, stopAfter })
  await consumer.init()
  const began = performance.now()
  await consumer.start()
  const ms = performance.now() - began
  signal.throwIfAborted()
  return ms
}

async function createCollection(
  { pongoClient }: PongoExports,
  connectionString: string,
  name: string,
): Promise<void> {
  const client = pongoClient(connectionString)
  try {
    await client.db().collection(name).createCollection()
  } finally {
    await client.close()
  }
}

// Rebuilds version 2 of a projection in a process of its own, for tests that kill it.
import { createStore } from '../../src/index.ts'
import { counts } from './counts.ts'

await using store = await createStore({ connectionString: process.env.DATABASE_URL ?? '' })
const { position } = await store.rebuild(counts(process.env.PROJECTION ?? '', 2), { batchSize: 10 })
process.stdout.write(`built up to ${position}\n`)

import { runWorkerProcess } from '../harness/worker-process.ts'
import { transfersUnder } from './controls.ts'
import { statements } from './statements.ts'

await runWorkerProcess({
  projections: [statements],
  processes: [transfersUnder(process.env.BANK_BREAK)],
  sealIntervalMs: 1_000,
})

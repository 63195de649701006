import { appendBenchmarks } from './append.ts'
import { appendBatchBenchmark } from './append-batch.ts'
import { appendConditionBenchmark } from './append-condition.ts'
import { appendEmmettBenchmark } from './append-emmett.ts'
import { appendImportBenchmark } from './append-import.ts'
import type { Benchmark } from './benchmark.ts'
import { captureBenchmarks } from './capture-update.ts'
import { outboxPublishBenchmark } from './outbox-publish.ts'
import { outboxRelayBenchmark } from './outbox-relay.ts'
import { outboxRetentionBenchmark } from './outbox-retention.ts'
import { projectionBatchBenchmark } from './projection-batch.ts'
import { projectionEmmettBenchmark } from './projection-emmett.ts'
import { projectionFoldBenchmarks } from './projection-fold.ts'
import { projectionGrowthBenchmark } from './projection-growth.ts'
import { projectionInlineBenchmarks } from './projection-inline.ts'
import { projectionLatencyBenchmark } from './projection-latency.ts'
import { projectionManyBenchmark } from './projection-many.ts'
import { projectionParallelBenchmarks } from './projection-parallel.ts'
import { projectionReadBenchmark } from './projection-read.ts'
import { reactorEnqueueBenchmark } from './reactor-enqueue.ts'
import { reactorLatencyBenchmarks } from './reactor-latency.ts'
import { reactorManyBenchmark } from './reactor-many.ts'
import { relayBenchmarks } from './relay.ts'
import { sequencerDecodeBenchmark } from './sequencer-decode.ts'
import { sequencerLatencyBenchmark } from './sequencer-latency.ts'
import { sequencerLatency1kBenchmark } from './sequencer-latency-1k.ts'
import { sequencerRateBenchmark } from './sequencer-rate.ts'
import { sequencerRecoveryBenchmark } from './sequencer-recovery.ts'
import { workerIdleBenchmark } from './worker-idle.ts'
import { workerResourcesBenchmark } from './worker-resources.ts'

/** All of them, in the order in which they run. */
export const benchmarks: readonly Benchmark[] = [
  ...appendBenchmarks,
  appendBatchBenchmark,
  appendImportBenchmark,
  appendConditionBenchmark,
  appendEmmettBenchmark,
  sequencerLatencyBenchmark,
  sequencerLatency1kBenchmark,
  sequencerRateBenchmark,
  sequencerDecodeBenchmark,
  sequencerRecoveryBenchmark,
  projectionLatencyBenchmark,
  projectionReadBenchmark,
  ...projectionFoldBenchmarks,
  projectionBatchBenchmark,
  projectionGrowthBenchmark,
  ...projectionParallelBenchmarks,
  projectionManyBenchmark,
  projectionEmmettBenchmark,
  ...projectionInlineBenchmarks,
  ...relayBenchmarks,
  ...captureBenchmarks,
  outboxPublishBenchmark,
  outboxRelayBenchmark,
  outboxRetentionBenchmark,
  reactorEnqueueBenchmark,
  ...reactorLatencyBenchmarks,
  reactorManyBenchmark,
  workerIdleBenchmark,
  workerResourcesBenchmark,
]

// An app team's own program: one model in the team's namespace, on the cluster that gpu-platform runs.

import * as gpu from "@pulumi/gpu-platform";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

const CONTRACT_VERSION = 1;
const TEAM = "support-bot";
const POOL = "inference-l40s";

const organization = pulumi.getOrganization();
const foundation = new pulumi.StackReference(`${organization}/gpu-platform/prod-foundation`);
const platform = new pulumi.StackReference(`${organization}/gpu-platform/prod`);

// Nothing is created unless the contract is the one this program knows and the pool is there.
const kubeconfig = pulumi
    .all([
        foundation.requireOutput("contractVersion"),
        foundation.requireOutput("kubeconfig"),
        platform.requireOutput("nodePools"),
    ])
    .apply(([version, found, pools]) => {
        if (version !== CONTRACT_VERSION) {
            throw new Error(`gpu-platform exports contract ${version}, this program needs ${CONTRACT_VERSION}`);
        }
        if (!pools.includes(POOL)) {
            throw new Error(`gpu-platform has no node pool ${POOL}; it has ${pools.join(", ")}`);
        }
        return found as string;
    });

const cluster = new kubernetes.Provider("cluster", {
    kubeconfig,
    // What the provider is replaced by when it changes; a new text of the kubeconfig must not replace it.
    clusterIdentifier: foundation.requireOutput("clusterName"),
});

const namespace = new kubernetes.core.v1.Namespace(
    TEAM,
    { metadata: { name: TEAM, labels: { "pod-security.kubernetes.io/enforce": "restricted" } } },
    { provider: cluster },
);

const server = new gpu.ModelServer(
    "support-bot-qwen3-8b",
    {
        namespace: TEAM,
        replicas: 2,
        engine: {
            model: "Qwen/Qwen3-8B",
            tensorParallel: 1,
            maxModelLen: 16384,
            gpuMemoryUtilization: 0.9,
        },
        pod: {
            image: "docker.io/vllm/vllm-openai:v0.33.0",
            nodePools: [POOL],
            spotAllowed: false,
            startupSeconds: 1200,
            preStopSeconds: 15,
            shutdownTimeoutSeconds: 120,
            // Four fifths of a g6e.2xlarge: 8 vCPU and 64 GiB beside one L40S. The rest is the node's own.
            cpu: 6,
            memoryGib: 51,
            cacheGib: 28,
            sharedMemoryGib: 8,
        },
    },
    { providers: { kubernetes: cluster }, dependsOn: [namespace] },
);

export const url = server.url;

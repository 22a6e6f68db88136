// A contender: Kafka Streams, exactly_once_v2, with a RocksDB store and its changelog topic.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

public final class FillsBook {
    private static final int HEADER_BYTES = 5;
    private static final long E8 = 100_000_000L;
    private static final String STORE = "positions";
    private static final AtomicLong applied = new AtomicLong();
    private static final AtomicLong firstNs = new AtomicLong();
    private static final AtomicLong firstCpuNs = new AtomicLong();
    private static volatile Throwable failure;

    /** Signed quantity, cost and cash, all e8, of an account in an instrument. */
    private record Held(long quantity, long cost, long cash) {
        static final Held FLAT = new Held(0, 0, 0);

        Held with(boolean buys, long quantityE8, long priceE8, long feeE8) {
            long signed = buys ? quantityE8 : -quantityE8;
            long total = quantity + signed;
            long paid = cost + value(signed, priceE8);
            return total == 0
                ? new Held(0, 0, cash - feeE8 - paid)
                : new Held(total, paid, cash - feeE8);
        }

        /** quantity x price / 1e8, rounded down; in halves, as the product may have over 64 bits. */
        private static long value(long quantity, long price) {
            long whole = Math.floorDiv(quantity, E8) * price;
            long rest = Math.floorMod(quantity, E8);
            return whole + rest * (price / E8) + rest * (price % E8) / E8;
        }

        byte[] packed() {
            return ByteBuffer.allocate(24).putLong(quantity).putLong(cost).putLong(cash).array();
        }

        static Held unpacked(byte[] bytes) {
            ByteBuffer buffer = ByteBuffer.wrap(bytes);
            return new Held(buffer.getLong(), buffer.getLong(), buffer.getLong());
        }
    }

    private static final class Book implements Processor<String, byte[], Void, Void> {
        private final GenericDatumReader<GenericRecord> reader;
        private final Set<String> instruments;
        private BinaryDecoder decoder;
        private GenericRecord fill;
        private KeyValueStore<String, Held> store;

        Book(Schema schema, Set<String> instruments) {
            this.reader = new GenericDatumReader<>(schema);
            this.instruments = instruments;
        }

        @Override
        public void init(ProcessorContext<Void, Void> context) {
            store = context.getStateStore(STORE);
        }

        @Override
        public void process(Record<String, byte[]> record) {
            if (firstNs.compareAndSet(0, System.nanoTime())) {
                firstCpuNs.set(cpuNs());
            }
            decode(record.value());
            String instrument = fill.get("instrument_id").toString();
            long price = (Long) fill.get("price_e8");
            long quantity = (Long) fill.get("quantity_e8");
            if (!record.key().equals(fill.get("account_id").toString())
                    || !instruments.contains(instrument) || price <= 0 || quantity <= 0) {
                throw new IllegalArgumentException(fill.get("fill_id") + " cannot be booked");
            }
            String place = record.key() + " " + instrument;
            Held held = store.get(place);
            boolean buys = fill.get("side").toString().equals("BUY");
            long fee = (Long) fill.get("fee_e8");
            store.put(place, (held == null ? Held.FLAT : held).with(buys, quantity, price, fee));
            applied.incrementAndGet();
        }

        private void decode(byte[] value) {
            int length = value.length - HEADER_BYTES;
            decoder = DecoderFactory.get().binaryDecoder(value, HEADER_BYTES, length, decoder);
            try {
                fill = reader.read(fill, decoder);
            } catch (IOException error) {
                throw new IllegalArgumentException(error);
            }
        }
    }

    /** Settings as JSON in; the result, a line of JSON, out. */
    public static void main(String[] args) throws Exception {
        JsonNode given = new ObjectMapper().readTree(args[0]);
        Path folder = Files.createTempDirectory("kafka-streams-");
        try (KafkaStreams streams = new KafkaStreams(topology(given), settings(given, folder))) {
            streams.setUncaughtExceptionHandler(error -> {
                failure = error;
                return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
            });
            streams.start();
            awaitCommitted(given);
            long lastNs = System.nanoTime();
            double cpuS = (cpuNs() - firstCpuNs.get()) / 1e9;
            System.out.printf(
                "{\"fills\": %d, \"first_s\": %.9f, \"last_s\": %.9f, \"cpu_s\": %.6f, "
                    + "\"peak_bytes\": %d}%n",
                applied.get(), firstNs.get() / 1e9, lastNs / 1e9, cpuS, peakBytes());
        } finally {
            delete(folder.toFile());
        }
    }

    private static Topology topology(JsonNode given) throws IOException {
        Schema schema = new Schema.Parser().parse(new File(given.get("avsc").asText()));
        Set<String> instruments = new HashSet<>();
        given.get("instruments").forEach(name -> instruments.add(name.asText()));
        Serde<Held> values = Serdes.serdeFrom(
            (topic, held) -> held == null ? null : held.packed(),
            (topic, bytes) -> bytes == null ? null : Held.unpacked(bytes));
        return new Topology()
            .addSource("fills", Serdes.String().deserializer(),
                Serdes.ByteArray().deserializer(), given.get("topic").asText())
            .addProcessor("book", () -> new Book(schema, instruments), "fills")
            .addStateStore(Stores.keyValueStoreBuilder(
                Stores.persistentKeyValueStore(STORE), Serdes.String(), values)
                .withCachingEnabled(), "book");
    }

    private static Properties settings(JsonNode given, Path folder) {
        Properties to = new Properties();
        to.put(StreamsConfig.APPLICATION_ID_CONFIG, given.get("app").asText());
        to.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, given.get("bootstrap").asText());
        to.put(StreamsConfig.STATE_DIR_CONFIG, folder.toString());
        to.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        to.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, given.get("threads").asInt());
        to.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        to.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        to.put(StreamsConfig.consumerPrefix(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG),
            given.get("session_ms").asInt());
        to.put(StreamsConfig.consumerPrefix(ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG),
            given.get("session_ms").asInt() / 3);
        to.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        return to;
    }

    /** Returns when the group's committed offsets cover every fill. */
    private static void awaitCommitted(JsonNode given) throws Exception {
        long fills = given.get("fills").asLong();
        String group = given.get("app").asText();
        Properties client = new Properties();
        client.put("bootstrap.servers", given.get("bootstrap").asText());
        try (Admin admin = Admin.create(client)) {
            while (applied.get() < fills || committed(admin, group) < fills) {
                if (failure != null) {
                    throw new IllegalStateException(failure);
                }
                TimeUnit.MILLISECONDS.sleep(5);
            }
        }
    }

    private static long committed(Admin admin, String group) throws Exception {
        return admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get()
            .values().stream().mapToLong(each -> each.offset()).sum();
    }

    private static long cpuNs() {
        var system = (com.sun.management.OperatingSystemMXBean)
            ManagementFactory.getOperatingSystemMXBean();
        return system.getProcessCpuTime();
    }

    /** The peak of the resident set; 0 where there is no /proc. */
    private static long peakBytes() throws IOException {
        Path status = Path.of("/proc/self/status");
        if (!Files.exists(status)) {
            return 0;
        }
        return Files.readAllLines(status).stream()
            .filter(line -> line.startsWith("VmHWM:"))
            .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024).sum();
    }

    private static void delete(File file) {
        File[] inside = file.listFiles();
        if (inside != null) {
            for (File each : inside) {
                delete(each);
            }
        }
        file.delete();
    }
}

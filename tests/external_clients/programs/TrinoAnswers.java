import static io.trino.spi.type.TimeZoneKey.UTC_KEY;
import static io.trino.testing.TestingSession.testSessionBuilder;

import io.trino.plugin.memory.MemoryConnectorFactory;
import io.trino.testing.LocalQueryRunner;
import io.trino.testing.MaterializedRow;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Collectors;

/** Runs each file of SQL in order, and prints the name of the file and its rows, with a tab before each value. */
public class TrinoAnswers {
    public static void main(String[] files) throws Exception {
        var session = testSessionBuilder().setCatalog("memory").setSchema("default").setTimeZoneKey(UTC_KEY).build();
        var trino = LocalQueryRunner.create(session);
        trino.createCatalog("memory", new MemoryConnectorFactory(), Map.of());
        for (String file : files) {
            System.out.println(Path.of(file).getFileName());
            for (MaterializedRow row : trino.execute(Files.readString(Path.of(file)))) {
                System.out.println(
                        row.getFields().stream().map(value -> "\t" + value).collect(Collectors.joining()));
            }
        }
        System.out.flush();
        Runtime.getRuntime().halt(0); // Trino's threads would keep the process for a while
    }
}

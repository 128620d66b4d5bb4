import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.opensearch.common.settings.Settings;
import org.opensearch.http.HttpServerTransport;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.transport.Netty4Plugin;

/** An OpenSearch of one node with its REST interface on a free port, until the standard input ends. */
public class Node extends org.opensearch.node.Node {
    private Node(Settings settings, Path home) {
        super(
            InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), home, () -> "node"),
            List.of(Netty4Plugin.class),
            false
        );
    }

    public static void main(String[] arguments) throws Exception {
        Path home = Path.of(arguments[0]);
        Settings settings = Settings.builder()
            .put("path.home", home)
            .put("cluster.name", "tests")
            .put("node.name", "node")
            .put("discovery.type", "single-node")
            .put("network.host", "127.0.0.1")
            .put("http.port", "0")
            .put("transport.port", "0")
            .put("transport.type", "netty4")
            .put("http.type", "netty4")
            .put("indexing_pressure.memory.limit", "600kb")
            .put("cluster.routing.allocation.disk.threshold_enabled", "false")
            .build();
        try (org.opensearch.node.Node node = new Node(settings, home).start()) {
            HttpServerTransport http = node.injector().getInstance(HttpServerTransport.class);
            System.out.println("{\"address\":\"" + http.boundAddress().publishAddress() + "\"}");
            while (System.in.read() >= 0) {}
        }
    }
}

<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1">
<context>
    <name>SAMSegment</name>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Quick start</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Open Segment Editor</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Go to the Segment Editor; if a segment is selected there, choose the effect SAM Segment</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Sample data</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Go to the module Sample Data, section SAM Segment; data sets are downloaded when you click on one</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>&lt;b&gt;Research software, not a medical device.&lt;/b&gt; Check every mask. Images stay on this computer.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Installation and device</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>SAM Segment:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Slicer:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>PyTorch:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Missing:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Device:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Where the model runs. Automatic: the graphics card if it passes a short test, else the processor</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Model process:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Install what is missing</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Installs Python packages into Slicer, PyTorch through its extension; you are asked first</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Test the model</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Starts the model and lets it find a sphere in a small artificial volume. You can go on working.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Models</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>The models that SAM Segment knows, and which of them are on this computer. Click one to see more.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Model</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>State</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Size</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Cancel</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>End it. What was downloaded is kept, and the next download carries on from there.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Download</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Get the weights of this model onto this computer. You can go on working meanwhile.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>From file ...</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Use a file that you have already, such as from a USB stick. It is copied, and compared with what it should be.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Verify</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Read the file and compare its SHA-256 with that of the catalogue; if it was converted on this computer, with the one noted then</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Remove ...</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Remove the weights of this model from this computer; you are asked first</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Where downloaded models lie: one folder for each user of this computer</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Show folder</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Open the folder with the downloaded models in the file manager</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Change folder ...</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Keep downloaded models in another folder, such as on a disk with more room</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Python console and bug reports</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>The same from the Python console, with the names of your nodes:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Copy diagnostics</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SAMSegment.ui"/>
        <source>Copies versions, device, model and the last error to the clipboard, for a bug report. No names, files or images.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegment.py"/>
        <source>SAM Segment</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegment.py"/>
        <source>Segments an object in 3D from a few clicks, an ROI or a measured diameter, in the &lt;b&gt;Segment Editor&lt;/b&gt;: effect &lt;b&gt;SAM Segment&lt;/b&gt;. This panel has a guide, shows what is installed, and tests the model. The model runs on this computer; no image leaves it.&lt;p&gt;&lt;b&gt;Research software. Not a medical device.&lt;/b&gt; Check every result.&lt;/p&gt;&lt;p&gt;See the &lt;a href=&apos;{homepage}&apos;&gt;documentation&lt;/a&gt;.&lt;/p&gt;</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegment.py"/>
        <source>The embedded weights are LiteMedSAM (Ma et al., bowang-lab, Apache-2.0) and those of SAMSegment 3D, trained for this extension on free data. The other networks follow the papers on SAM, TinyViT, MobileSAM, MedSAM and SAM-Med3D; see the file NOTICE.</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>SAMSegmentEffect</name>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Model:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>The model that makes the proposals. Others can be downloaded here, or in the module SAM Segment</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Cancel</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>End it. What was downloaded is kept, and the next download carries on from there.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Download</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Get the weights of this model onto this computer. You can go on working with another model meanwhile.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>From file ...</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Use a file that you have already, such as from a USB stick. It is copied, and compared with what it should be.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>What this model finds. Each structure that is checked becomes a new segment.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>All</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Check all structures</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>None</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Check no structure</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Propose</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Find the structures that are checked, and show them; nothing is written before Apply</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Positive</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Place points on the object (key P)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Negative</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Place points beside the object, where the proposal is too large (key N)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>ROI</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Draw a box around the object (key O). It should fit closely, about 5 mm around. The proposal stays inside, unless a positive point lies outside.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>The prompts of this segment. Click one to see it in the slice views; drag points and ROI in the views.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Undo</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Take the last change of the prompts back (key U). The segment&apos;s own undo is Ctrl+Z.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Redo</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Do the last change of the prompts again (key Shift+U)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Flip +/−</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Make the selected positive point negative, or the other way round (key X)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Delete</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Delete the selected prompt</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Clear</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Delete all prompts of this segment; can be undone with U</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Threshold:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Probability above which a voxel belongs to the proposal: lower makes it larger</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Opacity:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Opacity of the preview; the segment itself is not changed by it</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Other mask</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>The next-best mask for the same prompts (key M): a point may mean a vessel or the organ around it</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Stop, and drop the proposal; the prompts stay (key C)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Apply</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Write the proposal into the segment, under the masking settings (Ctrl+Return); Ctrl+Z takes it back</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Options</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Existing ROI:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Use an ROI that is there already; it is only read</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Measured line:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Use a line that measures the longest diameter of a lesion (RECIST); it is only read</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Start from:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Whether the proposal is made from the prompts alone, or from what the segment holds</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Keep out of other visible segments</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Voxels of other visible segments cannot belong to the proposal, unless the Editable area lies in these segments</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Fill small holes, remove crumbs</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Fill what the proposal encloses, and remove what lies apart from it, if it is no longer than 5 mm, or one voxel, in any direction. Holes at negative points and crumbs at positive points stay, and so do voxels of other segments.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Smooth border:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Round off what is toothed at the proposal&apos;s border. The size stays as it is, and so do thin parts, clicked voxels, the sides of an ROI and voxels of other segments.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>How far smoothing reaches: twice as much makes teeth of twice the height round. Much less than a voxel changes nothing.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source> mm</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Device:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/Resources/UI/SegmentEditorEffect.ui"/>
        <source>Where the model runs. Automatic: the graphics card if it passes a short test, else the processor</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>SAMSegmentLib.SegmentEditorEffect</name>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/SegmentEditorEffect.py"/>
        <source>SAM Segment</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/SegmentEditorEffect.py"/>
        <source>&lt;html&gt;Click on an object, or draw an ROI around it; then correct with points&lt;br&gt;. A model on this computer proposes the 3D mask; nothing leaves it.&lt;ul&gt;&lt;li&gt;&lt;b&gt;Positive&lt;/b&gt; (P): click on the object.&lt;/li&gt;&lt;li&gt;&lt;b&gt;Negative&lt;/b&gt; (N): click where the proposal is too large.&lt;/li&gt;&lt;li&gt;&lt;b&gt;ROI&lt;/b&gt; (O): draw a box closely around it.&lt;/li&gt;&lt;li&gt;Drag prompts to move them; &lt;b&gt;U&lt;/b&gt; takes the last one back.&lt;/li&gt;&lt;li&gt;&lt;b&gt;Apply&lt;/b&gt; (Ctrl+Return) writes the segment; Ctrl+Z takes it back.&lt;/li&gt;&lt;/ul&gt;Research software, not a medical device. Check every mask.&lt;/html&gt;</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>common.device_selector</name>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/common/device_selector.py"/>
        <source>automatic ({device})</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/common/device_selector.py"/>
        <source>{size:.0f} GB of memory</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>common.device_settings</name>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/common/device_settings.py"/>
        <source>automatic</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/common/device_settings.py"/>
        <source>graphics card (CUDA)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/common/device_settings.py"/>
        <source>graphics card (Apple)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/common/device_settings.py"/>
        <source>processor</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/common/device_settings.py"/>
        <source>graphics card {number} (CUDA)</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>effect.panel</name>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/panel.py"/>
        <source>prompts alone</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/panel.py"/>
        <source>segment as it is</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/panel.py"/>
        <source>segment, refined</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/panel.py"/>
        <source>{model} (not installed)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/panel.py"/>
        <source>{model} does not take a line: choose another model to use one.</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>effect.prompt_editor</name>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/prompt_editor.py"/>
        <source>ROI   {size} mm</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/prompt_editor.py"/>
        <source>Line   {length:.1f} mm</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/prompt_editor.py"/>
        <source>A point had no position (NaN) and was put back or left out.</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>effect.prompt_persistence</name>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/prompt_persistence.py"/>
        <source>Prompts correct what the segment holds, as the last ones did (Start from).</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>effect.proposal_request</name>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/proposal_request.py"/>
        <source>No structure is chosen: check those that are to be found.</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>effect.requester</name>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/requester.py"/>
        <source>Preparing ...</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/requester.py"/>
        <source>Something went wrong: {error}. The prompts are kept.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/requester.py"/>
        <source>Other segments have changed, and keep their voxels: look again, then Apply.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/requester.py"/>
        <source>Starting the model ...</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>effect.session</name>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/session.py"/>
        <source>The volume has changed: move or add a prompt to segment what it shows now.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/session.py"/>
        <source>The volume has changed: press Propose to segment what it shows now.</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>effect.session_commands</name>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/session_commands.py"/>
        <source>Cancelled.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/session_commands.py"/>
        <source>Cancelled. The prompts are kept.</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>effect.status_texts</name>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/status_texts.py"/>
        <source>Select a source volume and a segment.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/status_texts.py"/>
        <source>Check the structures that you want, and press Propose.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/status_texts.py"/>
        <source>{model} is not installed: download it above, or choose another model.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/status_texts.py"/>
        <source>{message}, about {seconds} s left</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/status_texts.py"/>
        <source>The model found nothing here: add a positive point or change the ROI.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/status_texts.py"/>
        <source>Correct with more points, or Apply.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/status_texts.py"/>
        <source>Mask {number} of {count}.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/status_texts.py"/>
        <source>Nothing was found of: {names}.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/status_texts.py"/>
        <source>Apply adds a new segment for each of: {names}.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/status_texts.py"/>
        <source>Added {count} segments. Ctrl+Z takes all of them back.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/status_texts.py"/>
        <source>Applied. Ctrl+Z takes it back; more points correct it.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/status_texts.py"/>
        <source>The model is still at work: other masks can be seen when it is done.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/status_texts.py"/>
        <source>There is no proposal: place a point or draw an ROI first.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/status_texts.py"/>
        <source>The points after the first prompt say already which object is meant: without them (key U takes back) other masks can be seen.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/status_texts.py"/>
        <source>The model has only one mask for these prompts.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/status_texts.py"/>
        <source>{model} finds its structures by itself: choose another model to place prompts.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/status_texts.py"/>
        <source>Time point {time}.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/status_texts.py"/>
        <source>The prompts were placed at {time}.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/status_texts.py"/>
        <source>The segment has moved since its prompts were placed: they moved with it.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/status_texts.py"/>
        <source>The segment or the volume has moved since its prompts were placed</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/status_texts.py"/>
        <source>The segment was changed since its prompts were placed</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/status_texts.py"/>
        <source>An earlier version did not note where the prompts belong</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/effect/status_texts.py"/>
        <source>they are left out, and new ones correct what the segment holds (Start from).</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>models.model_actions</name>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_actions.py"/>
        <source>A file ...</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_actions.py"/>
        <source>A folder, such as a USB stick ...</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_actions.py"/>
        <source>Wait until {model} is done.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_actions.py"/>
        <source>The file is damaged, or another model&apos;s.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_actions.py"/>
        <source>The folder with {file}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_actions.py"/>
        <source>The file {file} of {model}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_actions.py"/>
        <source>Weights</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_actions.py"/>
        <source>All files</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>models.model_list</name>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_list.py"/>
        <source>being installed</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_list.py"/>
        <source>being verified</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_list.py"/>
        <source>{amount} downloaded</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_list.py"/>
        <source>Folder: {path}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_list.py"/>
        <source>The folder will be made for the first model.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_list.py"/>
        <source>The environment variable {name} says which folder it is.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_list.py"/>
        <source>The folder for downloaded models</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_list.py"/>
        <source>Remove the weights of {model} ({size}) from this computer?</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_list.py"/>
        <source>The same file is used by {models}, which goes with it.</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>models.model_store</name>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_store.py"/>
        <source>Cancelled.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_store.py"/>
        <source>Cancelled. Download carries on from there.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_store.py"/>
        <source>Removed.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_store.py"/>
        <source>Starting</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_store.py"/>
        <source>The file is as published: its SHA-256 is the catalogue&apos;s.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_store.py"/>
        <source>The file is unchanged since it was converted on this computer, and fits the network. To compare it with what was published, remove and download it again.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_store.py"/>
        <source>Installed.</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>models.model_texts</name>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>{done} of {total} MB</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>{count} MB</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>{speed:.1f} MB/s</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>{time} left</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>{seconds} s</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>{minutes} min</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>{hours} h {minutes} min</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>included</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>trained by you</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>brought by you</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>installed</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>damaged</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>missing</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>not installed</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>from {host}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>There is no download: get the file by other means.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>From {host}.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>From {host}; if that fails, from {others}.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>The licence {licence} sets a limit: {restriction}.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>Download again</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>Accept and download</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>Try again</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>Carry on</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>Download</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>{action} ({size})</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>ROI</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>points</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>measured line</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>{count} million</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>Prompts:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>Finds:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>Images:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>Parameters:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>Licence:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>Source:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>Measured:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>Cite:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>{licence} (code and weights)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>{code} (code), {weights} (weights)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>{what} {seconds} s</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/models/model_texts.py"/>
        <source>{took} ({computer})</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>module.model_check</name>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/model_check.py"/>
        <source>Starting the model ...</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/model_check.py"/>
        <source>The model is at work ...</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/model_check.py"/>
        <source>Stopped.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/model_check.py"/>
        <source>{model} ran, but its mask is wrong (Dice {dice:.2f}): please report this with the diagnostics.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/model_check.py"/>
        <source>{model} works: test object found in {seconds:.1f} s (Dice {dice:.2f}), after {start:.1f} s to start.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/model_check.py"/>
        <source>{model} works: test object found in {seconds:.1f} s (Dice {dice:.2f}).</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>module.module_panel</name>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/module_panel.py"/>
        <source>not installed</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/module_panel.py"/>
        <source>All packages are installed.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/module_panel.py"/>
        <source>The packages could not be installed: {error}</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/module_panel.py"/>
        <source>Stop the test</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/module_panel.py"/>
        <source>Test the model</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/module_panel.py"/>
        <source>Copied. Paste it into your report; it names no patient, file or image.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/module_panel.py"/>
        <source>not started; it starts with the effect, or with the test below</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/module_panel.py"/>
        <source>not started</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/module_panel.py"/>
        <source>starting ...</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/module_panel.py"/>
        <source>cannot be started</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/module_panel.py"/>
        <source>{device}, PyTorch {torch}, {threads} threads</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/module_panel.py"/>
        <source>Load a volume (CT, MR or other), or take sample data.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/module_panel.py"/>
        <source>In the Segment Editor select the volume, add a segment, and choose &lt;b&gt;SAM Segment&lt;/b&gt;.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/module_panel.py"/>
        <source>Click on the object, or draw an ROI around it; its measured diameter will do, too.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/module_panel.py"/>
        <source>Look at the proposal in the views. Where it is wrong, add a positive or negative point, drag one, or move the threshold.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/module_panel.py"/>
        <source>Press &lt;b&gt;Apply&lt;/b&gt;. Ctrl+Z takes it back.</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>module.packages</name>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/packages.py"/>
        <source>The extension PyTorch installs it: in the Extensions Manager (View menu) install PyTorch, restart Slicer, and press this button again.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/packages.py"/>
        <source>{packages} was not installed. The Python console tells why.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/packages.py"/>
        <source> (PyTorch, by the extension PyTorch: a download of 0.2 GB, or up to 3 GB for a graphics card. It takes minutes, in which Slicer does not respond.)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/packages.py"/>
        <source>SAM Segment needs these Python packages, which will be installed into Slicer:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/packages.py"/>
        <source>Continue?</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/packages.py"/>
        <source>{packages} was in use while it was replaced. Restart Slicer now? Save your work first.</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>module.registration</name>
    <message>
        <location filename="SAMSegment/SAMSegmentLib/ui/module/registration.py"/>
        <source>SAM Segment</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>qSlicerAbstractCoreModule</name>
    <message>
        <location filename="SAMSegment/SAMSegment.py"/>
        <source>Segmentation</source>
        <translation type="unfinished"></translation>
    </message>
</context>
</TS>
